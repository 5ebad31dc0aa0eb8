//! PCR 13: system extensions.

use super::{PredictError, beside};
use crate::bank::Bank;
use crate::boot_path::{BootPath, Program};
use crate::measurement::Event;

/// The archives of system extensions: the UKI's own, then those for all UKIs.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let Program::Uki(uki) = &boot.program else {
        return Ok(Vec::new());
    };
    let archives = beside::archives(boot, uki);
    let extensions = archives.iter().filter(|archive| archive.pcr == 13);
    extensions.map(|archive| archive.event(banks)).collect()
}
