//! What no request can bring about.
#![allow(clippy::panic, reason = "that is what it is for")]

use touchstone_operations::Failure;

use crate::TouchstoneOptions;

/// Panics when the request says so: in the calling thread, or in one of its own that hands the panic on. What it says is a secret.
pub(crate) fn perform(request: &[u8], options: &TouchstoneOptions) -> Result<Vec<u8>, Failure> {
    match request {
        b"panic" => panic!("a secret"),
        b"panic in a thread" => std::thread::scope(|scope| {
            let thread = scope.spawn(|| -> Vec<u8> { panic!("a secret") });
            thread
                .join()
                .map_err(|panic| std::panic::resume_unwind(panic))
        }),
        _ => touchstone_operations::answer(request, &options.context()),
    }
}
