//! What no request can bring about: for tests of what happens when the library is wrong. Never shipped.
#![expect(clippy::panic, reason = "that is what it is for")]

/// Panics when the request asks for it.
///
/// # Panics
/// In the calling thread, or in one of its own that hands the panic on.
pub(crate) fn strike(request: &[u8]) {
    match request {
        b"panic" => panic!("a secret"),
        b"panic in a thread" => std::thread::scope(|scope| {
            let thread = scope.spawn(|| panic!("a secret"));
            let Err(panic): Result<std::convert::Infallible, _> = thread.join();
            std::panic::resume_unwind(panic)
        }),
        _ => {}
    }
}
