//! The line that systemd 262 draws in the initrd between what was started before it and what comes.
//!
//! Source: `systemd-pcrosseparator.service(8)` and `systemd-pcrnvdone.service(8)`; both run before anything is unlocked.

use super::{PredictError, not_compared};
use crate::bank::Bank;
use crate::boot_path::BootPath;
use crate::measurement::{Event, EventKind};
use crate::phase::PhasePath;
use crate::predict::Ask;
use crate::version::Release;

/// The registers that are extended.
pub(super) const REGISTERS: [u32; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 14];

/// Whether the registers of this question differ between the moments that are asked for.
pub(super) fn shows(ask: &Ask) -> bool {
    ask.os_separator == Some(true) && ask.pcrs.iter().any(|pcr| REGISTERS.contains(pcr))
}

/// Refuses what cannot be told of the moments after the first phase.
pub(super) fn check(boot: &BootPath, ask: &Ask) -> Result<(), PredictError> {
    let touched = ask.pcrs.iter().any(|pcr| REGISTERS.contains(pcr));
    if !touched || !ask.phases.iter().any(is_behind) {
        return Ok(());
    }
    let stub = boot.program.uki().map(|uki| uki.measured.stub().release);
    match ask.os_separator {
        None if stub == Some(Release::V262) => Err(PredictError::OsSeparator),
        // Nothing orders the two services, and both extend PCR 9.
        Some(true) if ask.pcrs.contains(&9) => Err(not_compared(
            9,
            "the initrd of systemd 262 after its first phase, which extends it by two words in either order,",
        )),
        _ => Ok(()),
    }
}

/// What is measured on the way to the end of these phases.
pub(super) fn events(ask: &Ask, pcrs: impl Iterator<Item = u32>, phase: &PhasePath) -> Vec<Event> {
    if !shows(ask) || !is_behind(phase) {
        return Vec::new();
    }
    pcrs.filter(|pcr| REGISTERS.contains(pcr))
        .map(|pcr| event(&ask.banks, pcr))
        .collect()
}

fn event(banks: &[Bank], pcr: u32) -> Event {
    let why = "the word os-separator, by systemd 262 in the initrd";
    Event::of(banks, pcr, EventKind::OsSeparator, why, b"os-separator")
}

/// The line is drawn when the initrd's systemd has started.
fn is_behind(phase: &PhasePath) -> bool {
    phase.words().next().is_some()
}
