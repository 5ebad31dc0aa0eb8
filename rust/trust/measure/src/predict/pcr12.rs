//! PCR 12: options, credentials and configuration from outside of the UKI.

use super::beside::{self, Used};
use super::command_line::{self, embedded, options};
use super::{PredictError, not_compared};
use crate::bank::Bank;
use crate::boot_path::{BootPath, Linux, Program, Uki};
use crate::measured::Profile;
use crate::measurement::{Event, EventKind};
use crate::utf16;
use crate::version::Release;

/// What the boot loader passes on, then what the stub finds outside of the UKI.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    match &boot.program {
        Program::Uki(uki) => of_uki(boot, uki, banks),
        Program::Linux(linux) => of_linux(boot, linux, banks),
    }
}

fn of_uki(boot: &BootPath, uki: &Uki, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let profile = super::profile(12, uki)?;
    let used = beside::used(boot, &profile)?;
    let mut events = passed_on(boot, uki, &profile, banks)?;
    let line = command_line::of_uki(boot, uki, &profile, &used)?;
    events.extend(
        line.added
            .iter()
            .map(|(what, text)| options(banks, 12, EventKind::LoadOptions, what, text)),
    );
    for used in &used {
        events.extend(section(used, &used.sections.device_tree, banks)?);
    }
    for archive in beside::archives(boot, uki) {
        if archive.pcr == 12 {
            events.push(archive.event(banks)?);
        }
    }
    // The kernel takes the first microcode that it finds: the last addon is to win.
    for used in used.iter().rev() {
        events.extend(section(used, &used.sections.ucode, banks)?);
    }
    for used in &used {
        events.extend(section(used, &used.sections.initrd, banks)?);
    }
    Ok(events)
}

/// What the loader gives the stub. A profile's number is measured by both. 252 passes the UKI's own command line on and
/// measures it, and its stub measures it once more unless Secure Boot makes it ignore what it was passed.
fn passed_on(
    boot: &BootPath,
    uki: &Uki,
    profile: &Profile<'_>,
    banks: &[Bank],
) -> Result<Vec<Event>, PredictError> {
    let load_options =
        |what: &str, text: &str| options(banks, 12, EventKind::LoadOptions, what, text);
    match (&boot.loader, uki.measured.stub().release) {
        (None, _) if profile.number > 0 => Err(not_compared(
            12,
            "a profile other than the first without systemd-boot",
        )),
        (Some(_), Release::V252) => {
            let Some(line) = embedded(uki, profile)? else {
                return Ok(Vec::new());
            };
            let by =
                |who| load_options(&format!("the UKI's command line, measured by {who}"), &line);
            let again = !boot.variables.secure_boot && !line.is_empty();
            let stub = again.then(|| by("stub 252"));
            Ok([by("systemd-boot 252")].into_iter().chain(stub).collect())
        }
        _ if profile.number == 0 => Ok(Vec::new()),
        _ => {
            let number = profile.number.to_string();
            let chosen = "the choice of a profile, as systemd-boot passes it on";
            Ok(vec![
                load_options(chosen, &format!("@{number}")),
                Event::of(
                    banks,
                    12,
                    EventKind::Profile,
                    format!("the number of the profile, in UTF-16 with a NUL: {number:?}"),
                    &utf16::with_nul(&number),
                ),
            ])
        }
    }
}

/// A section that an addon brings.
fn section(
    used: &Used<'_>,
    section: &Option<touchstone_pe::Section>,
    banks: &[Bank],
) -> Result<Option<Event>, PredictError> {
    let Some(section) = section else {
        return Ok(None);
    };
    Ok(Some(Event {
        pcr: 12,
        kind: EventKind::Addon,
        why: format!(
            "the section {} of the addon {}, {} bytes",
            section.name.as_str(),
            used.addon.name,
            section.virtual_size
        ),
        digests: beside::digests(used, section, banks)?,
    }))
}

/// systemd-boot measures the command line that it gives the kernel.
fn of_linux(boot: &BootPath, linux: &Linux, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let loader = super::loader_of_linux(boot)?;
    let line = command_line::of_linux(boot, linux, loader.release)?;
    let what = "the entry's command line, measured by systemd-boot";
    Ok(vec![options(
        banks,
        12,
        EventKind::LoadOptions,
        what,
        &line,
    )])
}
