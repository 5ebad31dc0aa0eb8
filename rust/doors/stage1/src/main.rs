//! `touchstone-stage1`: as the initrd's `/init` the gate, and as `touchstone-stage1 verify` the verifier of the closure.
//!
//! Exit status of `verify`: 0 when the closure is what was signed. Everything else ends in the action that the configuration names; as the first process
//! this program never ends.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    // The kernel gives its first process whatever stands on the command line: it has no say here.
    if std::process::id() == 1 {
        touchstone_stage1::first_process::run();
    }
    let mut arguments = std::env::args_os().skip(1);
    if let (Some(word), None) = (arguments.next(), arguments.next())
        && word == "verify"
    {
        return touchstone_stage1::verify::run();
    }
    eprintln!(
        "touchstone-stage1: this program is an initrd's first process: put it there as /init, with /etc/touchstone/stage1.conf (docs/stage1.md)"
    );
    ExitCode::from(2)
}
