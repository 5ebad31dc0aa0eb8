//! PCR 9: what the kernel received: its command line and its initrd.

use super::command_line::{self, options};
use super::initrd::{self, Initrd};
use super::{PredictError, beside, not_compared};
use crate::bank::Bank;
use crate::boot_path::{BootPath, Linux, Program, Uki};
use crate::measurement::{Event, EventKind};
use crate::version::Release;

/// The kernel's EFI stub measures its command line, then its initrd (Linux, `drivers/firmware/efi/libstub`).
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let (line, initrd, who) = match &boot.program {
        Program::Uki(uki) => by_stub(boot, uki)?,
        Program::Linux(linux) => by_loader(boot, linux, banks)?,
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
            why: format!("the initrd as {who} serves it: {}", initrd.pieces),
            digests: initrd.digests,
        },
    ])
}

fn by_stub(boot: &BootPath, uki: &Uki) -> Result<(String, Initrd, String), PredictError> {
    let stub = uki.measured.stub();
    let profile = super::profile(9, uki)?;
    let used = beside::used(boot, &profile)?;
    let line = command_line::of_uki(boot, uki, &profile, &used)?.whole;
    if stub.release == Release::V262 {
        if !names_a_console(&line) {
            return Err(PredictError::Console);
        }
        if !boot.no_boot_secret {
            return Err(PredictError::BootSecret);
        }
    }
    if line.is_empty() {
        return Err(not_compared(9, "a UKI with an empty command line"));
    }
    let initrd = initrd::of_uki(boot, uki, &profile, &used)?;
    Ok((line, initrd, format!("stub {stub}")))
}

fn by_loader(
    boot: &BootPath,
    linux: &Linux,
    banks: &[Bank],
) -> Result<(String, Initrd, String), PredictError> {
    let loader = super::loader_of_linux(boot)?;
    let line = command_line::of_linux(boot, linux, loader.release)?;
    let initrd = initrd::of_linux(linux, loader.release, banks)?;
    Ok((line, initrd, format!("systemd-boot {loader}")))
}

/// Stub 262 looks for `console=` at the front or behind a space, and adds a console where it finds none.
fn names_a_console(line: &str) -> bool {
    line.split(' ').any(|word| word.starts_with("console="))
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
