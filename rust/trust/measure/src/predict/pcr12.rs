//! PCR 12: options, credentials and configuration from outside of the UKI.

use super::command_line::{command_line, options};
use super::{PredictError, not_compared};
use crate::bank::Bank;
use crate::boot_path::BootPath;
use crate::measurement::{Event, EventKind};
use crate::version::Release;

/// Nothing on this boot path, but for 252: its loader passes the UKI's own command line on and measures it,
/// and its stub measures it once more unless Secure Boot makes it ignore what it was passed.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let Some(uki) = boot.program.uki() else {
        return Err(not_compared(12, "a kernel that is started by itself"));
    };
    if uki.measured.text(".profile").is_some() {
        return Err(not_compared(12, "a UKI with a section .profile"));
    }
    if uki.measured.stub().release != Release::V252 {
        return Ok(Vec::new());
    }
    let Some(line) = command_line(uki)? else {
        return Ok(Vec::new());
    };
    let by = |who: &str| {
        options(
            banks,
            12,
            EventKind::LoadOptions,
            &format!("the UKI's command line, measured by {who}"),
            &line,
        )
    };
    let mut events = vec![by("systemd-boot 252")];
    if !boot.variables.secure_boot && !line.is_empty() {
        events.push(by("stub 252"));
    }
    Ok(events)
}
