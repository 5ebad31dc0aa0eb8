//! What must hold for a prediction to be right.

use std::collections::BTreeSet;

use super::os_separator::REGISTERS;
use super::{Ask, beside};
use crate::boot_path::BootPath;
use crate::version::Release;

/// The registers that an assumption is about, whether it is one on this boot path, and what it says.
type Assumption = (&'static [u32], bool, &'static str);

/// The assumptions behind these registers' values, in sentences.
pub(super) fn of(boot: &BootPath, ask: &Ask, pcrs: &BTreeSet<u32>) -> Vec<String> {
    let all = [
        of_firmware(boot),
        of_shim(boot),
        of_stub(boot),
        of_initrd(ask),
    ]
    .concat();
    let relevant = |(of, holds, _): &Assumption| *holds && of.iter().any(|pcr| pcrs.contains(pcr));
    let relevant = all.into_iter().filter(relevant);
    relevant.map(|(_, _, text)| text.to_owned()).collect()
}

fn of_initrd(ask: &Ask) -> Vec<Assumption> {
    let later = ask
        .phases
        .iter()
        .any(|phase| phase.words().next().is_some());
    vec![
        (
            &REGISTERS,
            later && ask.os_separator == Some(true),
            "The systemd in the initrd is 262 or newer, and has drawn its line (os-separator) at every moment after the start.",
        ),
        (
            &REGISTERS,
            later && ask.os_separator != Some(true),
            "The systemd in the initrd is older than 262: newer ones extend PCRs 0 to 7, 9, 12, 13 and 14 by the word os-separator.",
        ),
    ]
}

fn of_firmware(boot: &BootPath) -> Vec<Assumption> {
    let (on, by_log) = (boot.variables.secure_boot, boot.firmware.is_some());
    let configured = boot
        .loader
        .as_ref()
        .map(|loader| loader.configuration.is_some());
    vec![
        (
            &[0, 1, 2, 3, 4, 5, 6, 7],
            by_log,
            "Firmware, its settings and the machine's devices are those of the boot in the given event log.",
        ),
        (
            &[4],
            true,
            "The firmware starts this path at its first attempt: each boot option that fails or returns before it adds events to PCR 4.",
        ),
        (
            &[4],
            !by_log,
            "The firmware starts no other application before its boot option.",
        ),
        (&[5], true, "The partition table stays as it was read."),
        (
            &[5],
            !by_log,
            "The firmware measures into PCR 5 the separator, the partition table and the end of the boot services alone, in this order (no driver comes from the disk before the boot option), and refuses to end them as often as was said.",
        ),
        (
            &[5],
            configured == Some(true),
            "loader/loader.conf on the ESP has the given content.",
        ),
        (
            &[5],
            configured == Some(false),
            "The ESP has no file loader/loader.conf.",
        ),
        (
            &[7],
            !by_log,
            "The firmware measures SecureBoot, PK, KEK, db, dbx and, where it is there, dbt, and no other variable, then the separator, and starts no driver by db before the boot option.",
        ),
        (
            &[7],
            on,
            "The firmware looks for signatures, certificates and digests in the order of EDK II.",
        ),
        (&[4, 7], !on, "Secure Boot is off."),
    ]
}

fn of_shim(boot: &BootPath) -> Vec<Assumption> {
    let shim = boot.shim.is_some();
    vec![
        (
            &[4, 5, 7, 14],
            !shim,
            "No shim is between firmware and boot loader.",
        ),
        (
            &[4, 7, 14],
            shim,
            "The variables MokSBState, MokDBState, MokPolicy, MokListTrusted and SbatPolicy are not there, no change of shim's lists is pending, and MokList fits into a variable.",
        ),
        (
            &[7, 14],
            shim,
            "No file shim_certificate*.efi, revocations_sbat.efi or options.csv lies beside shim.",
        ),
        (
            &[4, 7],
            shim,
            "shim starts the next program by its default name or by the load options, and its level (SbatLevel) admits every program.",
        ),
    ]
}

fn of_stub(boot: &BootPath) -> Vec<Assumption> {
    let uki = boot.program.uki();
    let stub = uki.map(|uki| uki.measured.stub().release);
    let addons = !beside::loaded(boot).is_empty();
    let hosted = boot.smbios.stub.is_some() || boot.smbios.boot.is_some();
    vec![
        (
            &[4, 7, 9, 11, 12, 13],
            boot.loader.is_some(),
            "The boot loader on the ESP is the given systemd-boot, and it starts the given entry without a change of the command line in its menu.",
        ),
        (
            &[9, 11, 12],
            boot.loader.is_none(),
            "What starts the UKI gives it no load options.",
        ),
        (
            &[9],
            true,
            "The kernel is Linux 6.1 or newer, and its EFI stub measures its command line and its initrd, in this order.",
        ),
        (
            &[9],
            stub == Some(Release::V262),
            "The ESP holds a file loader/boot-secret-mixin of 1 to 31 bytes, so that stub 262 makes no secret for the initrd.",
        ),
        (
            &[4, 7, 9, 12, 13],
            uki.is_some(),
            "No addon, credential or extension but those that were given lies beside the UKI or in loader/addons, loader/credentials and loader/extensions.",
        ),
        (
            &[9, 12],
            addons && !boot.variables.secure_boot,
            "Secure Boot is off, or the firmware lets every addon start.",
        ),
        (
            &[9, 12],
            !hosted,
            "The machine's SMBIOS strings hold no io.systemd.boot.kernel-cmdline-extra and no io.systemd.stub.kernel-cmdline-extra.",
        ),
        (
            &[9, 12],
            hosted,
            "The machine's SMBIOS strings hold the given additions to the command line, and it is no confidential machine, on which they are passed over.",
        ),
        (
            &[11],
            uki.is_some_and(|uki| uki.device_tree.is_some()),
            "The machine's hardware makes the stub take the given device tree.",
        ),
        (
            &[11],
            uki.is_some(),
            "Nothing but systemd's phases is measured into PCR 11 after the stub; every phase is measured once.",
        ),
        (
            &[11],
            uki.is_none(),
            "Nothing is measured into PCR 11 without a UKI.",
        ),
    ]
}
