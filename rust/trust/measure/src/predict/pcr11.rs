//! PCR 11: the UKI's sections; the boot phases follow ([`crate::measured::phase_events`]).

use super::{PredictError, not_compared};
use crate::boot_path::BootPath;
use crate::measurement::Event;

/// What the stub measures of the UKI.
pub(super) fn events(boot: &BootPath) -> Result<Vec<Event>, PredictError> {
    let uki = boot
        .program
        .uki()
        .ok_or_else(|| not_compared(11, "a kernel that is started by itself"))?;
    Ok(uki.measured.section_events())
}
