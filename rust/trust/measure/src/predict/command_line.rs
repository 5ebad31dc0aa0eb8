//! The kernel's command line, as stub and kernel see it.

use super::PredictError;
use crate::bank::Bank;
use crate::boot_path::Uki;
use crate::measurement::{Event, EventKind};
use crate::utf16;

/// The command line that the stub makes of the section `.cmdline`; none without that section.
pub(super) fn command_line(uki: &Uki) -> Result<Option<String>, PredictError> {
    let line = uki
        .measured
        .text(".cmdline")
        .map(|section| utf16::command_line(uki.measured.stub().release, section));
    Ok(line.transpose()?)
}

/// The event of a command line: its UTF-16 form with a NUL.
pub(super) fn options(banks: &[Bank], pcr: u32, kind: EventKind, what: &str, line: &str) -> Event {
    Event::of(
        banks,
        pcr,
        kind,
        format!("{what}, in UTF-16 with a NUL: {line:?}"),
        &utf16::with_nul(line),
    )
}
