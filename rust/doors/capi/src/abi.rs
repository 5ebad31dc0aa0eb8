//! What C sees.
#![allow(
    unsafe_code,
    reason = "the border: callers pass pointers, and symbols have names"
)]

use std::ffi::c_char;

use touchstone_operations::{Failure, REQUEST_LIMIT};

use crate::answer;
use crate::border::{self, Fault};
use crate::misuse::Misuse;
use crate::options::{self, TouchstoneOptions};
use crate::perform;

/// The version of this interface: what touchstone_run() is told that its caller was compiled for.
///
/// It changes only when a program that was compiled before would go wrong, and the name of the shared library
/// (libtouchstone.so.1) changes with it.
pub const TOUCHSTONE_ABI: u32 = 1;

/// A flag of TouchstoneOptions: any private key that the process can read may be opened. Without it, only keys that are
/// marked as test keys are (`touchstone keys generate --test`).
pub const TOUCHSTONE_ANY_KEY: u32 = 1;

/// A flag of TouchstoneOptions: `now` says what time it is. Without it there is no time, and no signer is refused for its
/// certificate's dates.
pub const TOUCHSTONE_HAS_TIME: u32 = 2;

/// How a call ended. Treat every value that is not TOUCHSTONE_STATUS_DONE as a failure: others may be added.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TouchstoneStatus {
    /// The operation was done, and its answer is there. That something was looked at and found bad is an answer.
    Done = 0,
    /// The request was refused or failed. What is there says why: {"code", "what", "file", "help"}. No output was written;
    /// an operation that changes more of the machine, as `touchstone schema` says, may have done a part of it.
    Refused = 1,
    /// The call itself was wrong: another interface's version, NULL, options that this library does not know. What is there
    /// says why, unless `answer` itself was NULL.
    Misused = 2,
    /// The library found a mistake of its own; this call is lost, and others are not touched. What is there says where.
    Broken = 3,
}

/// What a call gives: text in UTF-8. It belongs to the caller, who gives it back with touchstone_free().
#[repr(C)]
#[derive(Debug)]
pub struct TouchstoneAnswer {
    /// The text, with a NUL behind it; none inside. NULL where there is none.
    pub text: *const c_char,
    /// How many bytes it has, without that NUL.
    pub len: usize,
}

/// Performs a request.
///
/// abi: TOUCHSTONE_ABI, always.
/// request, request_len: a JSON object in UTF-8 with a field `operation`, as `touchstone run` takes it; no NUL is needed
/// behind it. More than 64 MiB are refused, unread. It is not written to, and not needed any more after the call.
/// options: which keys, what time, who is told of progress; NULL for TOUCHSTONE_OPTIONS_INIT.
/// answer: where to put the answer, or why there is none. What it holds before is neither read nor freed.
///
/// Every call is independent of every other: any thread may call at any time. Nothing is printed, no environment variable,
/// locale or signal handler is used or changed. Relative paths in the request are relative to the process's folder.
///
/// # Safety
/// `request` points to `request_len` readable bytes, `options` to a TouchstoneOptions whose `size` is true, and
/// `answer` to a TouchstoneAnswer that no other thread uses during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_run(
    abi: u32,
    request: *const c_char,
    request_len: usize,
    options: *const TouchstoneOptions,
    answer: *mut TouchstoneAnswer,
) -> TouchstoneStatus {
    if answer.is_null() || !answer.is_aligned() {
        return TouchstoneStatus::Misused;
    }
    let (status, text) = border::guarded(|| {
        if abi != TOUCHSTONE_ABI {
            return Err(Misuse::Abi(abi).into());
        }
        // SAFETY: NULL, or what its size says, by the caller's word.
        let options = unsafe { options::read(options) }?;
        // SAFETY: readable, by the caller's word.
        let request = unsafe { bytes(request, request_len) }?;
        Ok(perform::perform(request, &options)?)
    });
    // SAFETY: not NULL, aligned, and the caller's for the length of the call.
    unsafe { answer.write(answer::given(text)) };
    status
}

/// What a pointer and a length say.
///
/// # Safety
/// `length` bytes can be read there, unless it is NULL or they are too many.
unsafe fn bytes<'a>(request: *const c_char, length: usize) -> Result<&'a [u8], Fault> {
    if request.is_null() {
        return Err(Misuse::NoRequest.into());
    }
    if length > REQUEST_LIMIT {
        return Err(Failure::too_large().into());
    }
    // SAFETY: not NULL, readable by the caller's word, and no longer than a slice may be.
    Ok(unsafe { std::slice::from_raw_parts(request.cast(), length) })
}

/// Gives an answer back. It holds none afterwards, so that giving it back twice does nothing; neither does NULL. A copy of an
/// answer must not be given back as well.
///
/// # Safety
/// `answer` is NULL, or points to what touchstone_run() wrote, or to zeros.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn touchstone_free(answer: *mut TouchstoneAnswer) {
    if answer.is_null() || !answer.is_aligned() {
        return;
    }
    // SAFETY: not NULL, aligned, and of this library, the caller says.
    unsafe { answer::take_back(answer.replace(answer::none())) };
}

/// The version of the interface that this library has: TOUCHSTONE_ABI of the header that it was built with.
#[unsafe(no_mangle)]
pub extern "C" fn touchstone_abi() -> u32 {
    TOUCHSTONE_ABI
}

/// The version of Touchstone, such as "0.1.0". It is there as long as the library is.
#[unsafe(no_mangle)]
pub extern "C" fn touchstone_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
