//! Giving an answer away, and taking it back.
#![allow(
    unsafe_code,
    reason = "C owns an answer until it gives it back by its pointer"
)]

use std::ffi::CString;

use crate::TouchstoneAnswer;

/// No answer.
pub(crate) const fn none() -> TouchstoneAnswer {
    TouchstoneAnswer {
        text: std::ptr::null(),
        len: 0,
    }
}

/// Gives text away. JSON writes a NUL as `\u0000`; one that were there nevertheless would end the text.
pub(crate) fn given(text: Vec<u8>) -> TouchstoneAnswer {
    let text = CString::new(text).unwrap_or_else(|error| {
        let end = error.nul_position();
        let mut text = error.into_vec();
        text.truncate(end);
        CString::new(text).unwrap_or_default()
    });
    let len = text.as_bytes().len();
    TouchstoneAnswer {
        text: text.into_raw(),
        len,
    }
}

/// Frees it. Its length is found by the NUL behind it, not by `len`, which a caller may have changed.
///
/// # Safety
/// The text is NULL, or of [`given`] and not taken back yet.
pub(crate) unsafe fn take_back(answer: TouchstoneAnswer) {
    if !answer.text.is_null() {
        // SAFETY: of `CString::into_raw`, once.
        drop(unsafe { CString::from_raw(answer.text.cast_mut()) });
    }
}
