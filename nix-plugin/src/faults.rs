//! What a test makes go wrong.

use std::thread;
use std::time::Duration;

use crate::bridge::Call;
use crate::perform::{Ended, caught};

/// Fails as `kind` says: by a panic, by a C++ exception, or by taking longer than anybody waits.
pub fn perform(kind: &str, call: &Call) -> Ended {
    caught(|| match kind {
        "panic" => panics(),
        "exception" => refused(call.fail()),
        "wait" => waits(call),
        _ => Ended::Refused("the faults are panic, exception and wait".to_owned()),
    })
}

#[expect(clippy::panic, reason = "that is what the test is about")]
fn panics() -> Ended {
    panic!("a fault was asked for")
}

fn refused(failed: bool) -> Ended {
    Ended::Refused(format!("the call went wrong: {failed}"))
}

/// Until the user interrupts it.
fn waits(call: &Call) -> Ended {
    while !call.interrupted() {
        thread::sleep(Duration::from_millis(10));
    }
    refused(true)
}
