//! Nothing unwinds beyond this point, and every call ends with a text.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use touchstone_operations::Failure;

use crate::TouchstoneStatus;
use crate::misuse::Misuse;

/// Why a call has no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The operation said so.
    Refused(Failure),
    /// The caller is wrong.
    Misused(Failure),
    /// The library is wrong.
    Broken(Failure),
}

impl From<Misuse> for Fault {
    fn from(misuse: Misuse) -> Fault {
        Fault::Misused(misuse.into())
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault::Refused(failure)
    }
}

/// Runs a call, which may panic; what it gives is what the caller is given.
pub(crate) fn guarded(
    call: impl FnOnce() -> Result<Vec<u8>, Fault>,
) -> (TouchstoneStatus, Vec<u8>) {
    PLACE.set(None);
    let quiet = Quiet::begin();
    // Nothing outlives a call but what it wrote, and outputs appear whole or not at all.
    let ended = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        // Whatever was thrown is not asked for anything more, not even to be dropped.
        std::mem::forget(panic);
        Err(Fault::Broken(broken()))
    });
    drop(quiet);
    match ended {
        Ok(answer) => (TouchstoneStatus::Done, answer),
        Err(Fault::Refused(failure)) => (TouchstoneStatus::Refused, text(&failure)),
        Err(Fault::Misused(failure)) => (TouchstoneStatus::Misused, text(&failure)),
        Err(Fault::Broken(failure)) => (TouchstoneStatus::Broken, text(&failure)),
    }
}

/// A failure in the form of an answer.
fn text(failure: &Failure) -> Vec<u8> {
    touchstone_operations::to_bytes(failure).unwrap_or_default()
}

/// Where the panic of this thread's call was; not what it said, since that may quote what was read.
fn broken() -> Failure {
    let place = PLACE.take();
    let place = place.unwrap_or_else(|| "a thread of its own".to_owned());
    Failure {
        code: "internal.panic".to_owned(),
        what: format!("Touchstone found a mistake of its own, at {place}"),
        file: None,
        help: "please report it, with the request; the library can be used on".to_owned(),
    }
}

thread_local! {
    /// Where this thread panicked.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// How many calls are under way.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// While one of these is there, a panic prints nothing. A shared library has Rust's library for itself; a program that links the
/// archive may have Rust of its own, which keeps its hook.
struct Quiet;

impl Quiet {
    fn begin() -> Quiet {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                if CALLS.load(Ordering::Acquire) == 0 {
                    return before(panic);
                }
                let place = panic.location().map(ToString::to_string);
                // No thread is told twice: a panic while this one is noted would end the process.
                let _ = PLACE.try_with(|kept| {
                    if let Ok(mut kept) = kept.try_borrow_mut() {
                        *kept = place;
                    }
                });
            }));
        });
        CALLS.fetch_add(1, Ordering::AcqRel);
        Quiet
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        CALLS.fetch_sub(1, Ordering::AcqRel);
    }
}
