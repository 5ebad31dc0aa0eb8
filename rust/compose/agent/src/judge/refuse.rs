//! Refusals.

use crate::protocol::Refusal;

/// A refusal: a stable code, what is wrong of what, and what to do.
pub(super) fn refuse(code: &str, what: impl AsRef<str>, help: &str) -> Refusal {
    Refusal::new(code, what.as_ref(), help)
}
