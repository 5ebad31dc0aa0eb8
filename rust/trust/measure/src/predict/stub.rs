//! What stub and kernel measure: PCR 9 (command line and initrd) and PCR 12 (options from outside of the UKI).

use super::PredictError;
use crate::bank::Bank;
use crate::boot_path::BootPath;
use crate::measured::Served;
use crate::measurement::{Event, EventKind};
use crate::uki::EXTRA_FILES;
use crate::utf16;
use crate::version::Release;

/// PCR 9: the kernel's EFI stub measures its command line, then its initrd (Linux, `drivers/firmware/efi/libstub`).
pub(super) fn pcr9(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let uki = &boot.uki.measured;
    let line = command_line(boot)?
        .filter(|line| !line.is_empty())
        .ok_or_else(|| not_compared(9, "a UKI without a command line"))?;
    if uki.stub().release == Release::V262 {
        if !names_a_console(&line) {
            return Err(PredictError::Console);
        }
        if !boot.loader.no_boot_secret {
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
                pieces(boot)
            ),
            digests: initrd,
        },
    ])
}

/// PCR 12: nothing on this boot path, but for 252: its loader passes the UKI's own command line on and measures it,
/// and its stub measures it once more unless Secure Boot makes it ignore what it was passed.
pub(super) fn pcr12(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    if boot.uki.measured.text(".profile").is_some() {
        return Err(not_compared(12, "a UKI with a section .profile"));
    }
    if boot.loader.version.release != Release::V252 {
        return Ok(Vec::new());
    }
    let Some(line) = command_line(boot)? else {
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

fn not_compared(pcr: u32, what: &'static str) -> PredictError {
    PredictError::NotCompared { pcr, what }
}

fn command_line(boot: &BootPath) -> Result<Option<String>, PredictError> {
    let uki = &boot.uki.measured;
    let line = uki
        .text(".cmdline")
        .map(|section| utf16::command_line(uki.stub().release, section));
    Ok(line.transpose()?)
}

fn options(banks: &[Bank], pcr: u32, kind: EventKind, what: &str, line: &str) -> Event {
    Event::of(
        banks,
        pcr,
        kind,
        format!("{what}, in UTF-16 with a NUL: {line:?}"),
        &utf16::with_nul(line),
    )
}

/// Stub 262 looks for `console=` at the front or behind a space, and adds a console where it finds none.
fn names_a_console(line: &str) -> bool {
    line.split(' ').any(|word| word.starts_with("console="))
}

/// The initrd's pieces in their order, in words.
fn pieces(boot: &BootPath) -> String {
    let uki = &boot.uki.measured;
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
