//! The kernel's command line, as loader, stub and kernel see it.

use super::beside::Used;
use super::{PredictError, not_compared};
use crate::bank::Bank;
use crate::boot_path::{BootPath, Linux, Uki};
use crate::measured::Profile;
use crate::measurement::{Event, EventKind};
use crate::utf16;
use crate::version::Release;

/// The command line of a kernel inside a UKI.
pub(super) struct UkiLine {
    /// What the stub adds to the UKI's own, in its order, with words that say whence: each is measured by itself.
    pub(super) added: Vec<(&'static str, String)>,
    /// What the kernel is given.
    pub(super) whole: String,
}

/// The command line that the stub makes of the section `.cmdline`; none without that section.
pub(super) fn embedded(uki: &Uki, profile: &Profile<'_>) -> Result<Option<String>, PredictError> {
    let line = profile
        .text(".cmdline")
        .map(|section| utf16::command_line(uki.measured.stub().release, section));
    Ok(line.transpose()?)
}

/// The command line as the stub settles it: its own, what addons bring, what the host adds.
pub(super) fn of_uki(
    boot: &BootPath,
    uki: &Uki,
    profile: &Profile<'_>,
    used: &[Used<'_>],
) -> Result<UkiLine, PredictError> {
    let release = uki.measured.stub().release;
    let by_addons = of_addons(release, used)?;
    let by_host = match &boot.smbios.stub {
        Some(text) if release > Release::V252 => utf16::command_line(release, text.as_bytes())?,
        _ => String::new(),
    };
    let added: Vec<(&'static str, String)> = [
        ("what addons add to the command line", by_addons),
        (
            "what the host adds to the command line (SMBIOS, io.systemd.stub.kernel-cmdline-extra)",
            by_host,
        ),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .collect();
    let own = embedded(uki, profile)?.unwrap_or_default();
    let whole = added
        .iter()
        .fold(own, |line, (_, text)| joined(&line, text));
    Ok(UkiLine { added, whole })
}

/// The addons' lines, joined, and cleaned once more as a whole.
fn of_addons(release: Release, used: &[Used<'_>]) -> Result<String, PredictError> {
    let mut line = String::new();
    for section in used
        .iter()
        .filter_map(|used| used.sections.cmdline.as_ref())
    {
        line = joined(&line, &utf16::command_line(release, section)?);
    }
    Ok(utf16::command_line(release, line.as_bytes())?)
}

fn joined(line: &str, more: &str) -> String {
    match line.is_empty() {
        true => more.to_owned(),
        false => format!("{line} {more}"),
    }
}

/// The command line that systemd-boot gives a kernel which it starts by itself: its initrds, then the entry's options,
/// then what the host adds.
pub(super) fn of_linux(
    boot: &BootPath,
    linux: &Linux,
    release: Release,
) -> Result<String, PredictError> {
    let text = |text: &str| match text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        true if !text.is_empty() && text.trim() == text => Ok(text.to_owned()),
        _ => Err(PredictError::Options {
            text: text.to_owned(),
        }),
    };
    let mut line = String::new();
    for initrd in &linux.initrds {
        line = joined(&line, &format!("initrd={}", esp_path(&initrd.name)?));
    }
    line = joined(&line, &text(&linux.options)?);
    match &boot.smbios.boot {
        Some(more) if release > Release::V252 => Ok(joined(&line, &text(more)?)),
        _ => Ok(line),
    }
}

/// A path as the firmware writes it.
fn esp_path(path: &str) -> Result<String, PredictError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    match path.bytes().all(plain) && !path.contains("//") && !path.is_empty() {
        true => Ok(path.replace('/', "\\")),
        false => Err(not_compared(
            9,
            "an initrd whose path has other characters than ASCII's, a space, a backslash or two slashes together",
        )),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_paths_as_the_firmware_does() {
        assert_eq!(
            esp_path("/nixos/initrd.efi").unwrap(),
            "\\nixos\\initrd.efi"
        );
        assert_eq!(esp_path("nixos/i").unwrap(), "nixos\\i");
        for strange in ["", "/a b", "/ä", "//a", "\\a"] {
            assert!(esp_path(strange).is_err(), "{strange}");
        }
    }
}
