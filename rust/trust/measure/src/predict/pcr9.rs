//! PCR 9: what the kernel received: its command line and its initrd.

use super::command_line::{command_line, options};
use super::{PredictError, not_compared};
use crate::bank::Bank;
use crate::boot_path::{BootPath, Uki};
use crate::measured::Served;
use crate::measurement::{Event, EventKind};
use crate::uki::EXTRA_FILES;
use crate::version::Release;

/// The kernel's EFI stub measures its command line, then its initrd (Linux, `drivers/firmware/efi/libstub`).
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let Some(started) = boot.program.uki() else {
        return Err(not_compared(9, "a kernel that is started by itself"));
    };
    let uki = &started.measured;
    let line = command_line(started)?
        .filter(|line| !line.is_empty())
        .ok_or_else(|| not_compared(9, "a UKI without a command line"))?;
    if uki.stub().release == Release::V262 {
        if !names_a_console(&line) {
            return Err(PredictError::Console);
        }
        if boot
            .loader
            .as_ref()
            .is_some_and(|loader| !loader.no_boot_secret)
        {
            return Err(PredictError::BootSecret);
        }
    }
    let initrd = match uki.initrd() {
        Served::Digests(digests) => digests.clone(),
        Served::OrderLost => return Err(PredictError::MicrocodeNotAnnounced),
        Served::NotCompared(what) => return Err(not_compared(9, what)),
    };
    Ok(vec![
        options(
            banks,
            9,
            EventKind::CommandLine,
            "the kernel's command line",
            &line,
        ),
        Event {
            pcr: 9,
            kind: EventKind::Initrd,
            why: format!(
                "the initrd as stub {} serves it: {}",
                uki.stub(),
                pieces(started)
            ),
            digests: initrd,
        },
    ])
}

/// Stub 262 looks for `console=` at the front or behind a space, and adds a console where it finds none.
fn names_a_console(line: &str) -> bool {
    line.split(' ').any(|word| word.starts_with("console="))
}

/// The initrd's pieces in their order, in words.
fn pieces(uki: &Uki) -> String {
    let uki = &uki.measured;
    let mut pieces = Vec::new();
    for name in [".ucode", ".initrd"] {
        if let Some(section) = uki
            .sections()
            .iter()
            .find(|section| section.name == name && section.len > 0)
        {
            pieces.push(format!("{name} ({} bytes)", section.len));
        }
    }
    if uki.stub().release > Release::V252 {
        let extra = EXTRA_FILES
            .iter()
            .filter_map(|(section, _)| Some((section, uki.text(section)?)));
        pieces.extend(
            extra.map(|(section, text)| {
                format!("{section} ({} bytes) in a cpio archive", text.len())
            }),
        );
    }
    pieces.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_console_where_stub_262_looks_for_one() {
        assert!(names_a_console("console=ttyS0 quiet"));
        assert!(names_a_console("quiet console=tty0"));
        assert!(!names_a_console("quiet noconsole=1 netconsole=x"));
    }
}
