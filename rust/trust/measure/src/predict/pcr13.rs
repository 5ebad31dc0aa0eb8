//! PCR 13: system extensions.

use super::PredictError;
use crate::measurement::Event;

/// Nothing: no extension is on this path.
#[allow(clippy::unnecessary_wraps, reason = "one shape for all registers")]
pub(super) fn events() -> Result<Vec<Event>, PredictError> {
    Ok(Vec::new())
}
