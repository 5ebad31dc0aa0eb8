//! What somebody tells the machine who can write to the ESP, has addons that are signed, or is the virtual machine's host.

use std::fs;

use super::super::harmful;
use super::super::workshop::beside;
use super::{Attack, BESIDE, HALTING, PLAIN, told};

/// In the order of the page.
pub const ATTACKS: &[Attack] = &[
    told(
        "init= of another store path, through SMBIOS",
        "the command line has more than one init=",
        |_, machine| {
            Ok(machine
                .extra_command_line("init=/nix/store/00000000000000000000000000000000-other/init"))
        },
    )
    .always(),
    told(
        "two more init=, through SMBIOS",
        "the command line has more than one init=",
        |scene, machine| {
            let init = format!("init={}/init", scene.generation.toplevel);
            Ok(machine.extra_command_line(&format!("{init} {init}")))
        },
    ),
    told(
        "init= in a signed addon",
        "the command line has more than one init=",
        |scene, machine| {
            let addon = scene
                .verified
                .addon("init=/nix/store/00000000000000000000000000000000-other/init")?;
            Ok(machine.file(&beside("evil.addon.efi"), addon))
        },
    ),
    told(
        "init= in a Type #1 entry, with the kernel signed",
        "it was not started by its signed image",
        |scene, _| scene.verified.entry(scene.generation, scene.root),
    ),
    told(
        "rdinit=, through SMBIOS",
        "the command line has an unsigned rdinit=",
        |_, machine| Ok(machine.extra_command_line("rdinit=/bin/mount")),
    ),
    told(
        "rd.systemd.mask= of the unit that verifies",
        "an unsigned word for systemd, which could change what the initrd runs: `rd.systemd.mask=",
        |_, machine| Ok(machine.extra_command_line("rd.systemd.mask=touchstone-verify.service")),
    ),
    told(
        "systemd.unit=",
        "an unsigned word for systemd, which could change what the initrd runs: `systemd.unit=",
        |_, machine| Ok(machine.extra_command_line("systemd.unit=emergency.target")),
    ),
    told(
        "systemd.debug_shell, in a signed addon",
        "an unsigned word for systemd, which could change what the initrd runs: `systemd.debug_shell",
        |scene, machine| {
            let addon = scene.verified.addon("systemd.debug_shell=ttyS0")?;
            Ok(machine.file(&beside("evil.addon.efi"), addon))
        },
    ),
    told(
        "rd.break, through SMBIOS",
        "an unsigned word for the initrd, which could change what it runs: `rd.break",
        |_, machine| Ok(machine.extra_command_line("rd.break")),
    ),
    told(
        "another root, through SMBIOS",
        "an unsigned word that says what is mounted as the root: `root=",
        |_, machine| Ok(machine.extra_command_line("root=/dev/vda3")),
    ),
    told(
        "a credential with a unit, through SMBIOS",
        "the credential `systemd.extra-unit.evil.service`",
        |_, machine| {
            Ok(machine.smbios("io.systemd.credential:systemd.extra-unit.evil.service=[Service]"))
        },
    ),
    told(
        "a credential with a unit's settings, on the ESP",
        "the credential `systemd.unit-dropin.initrd.target",
        |_, machine| {
            let name = beside("systemd.unit-dropin.initrd.target.cred");
            Ok(machine.file(&name, b"[Unit]\nWants=evil.service\n".to_vec()))
        },
    ),
    told(
        "a system extension, on the ESP",
        "the system or configuration extension `sysext/evil.sysext.raw`",
        |_, machine| Ok(machine.file(&beside("evil.sysext.raw"), vec![0; 4096])),
    ),
    told(
        "a manifest of another toplevel, on the ESP",
        "the manifest is of /nix/store/",
        |scene, machine| {
            let other = scene
                .all
                .get(PLAIN)
                .map(|other| fs::read_to_string(&other.manifest));
            let other = other.transpose()?.unwrap_or_default();
            harmful::manifest(machine, scene.generation, |_| other)
        },
    )
    .of(BESIDE),
    told(
        "a manifest whose signatures were taken off, on the ESP",
        "has 0 good signatures by trusted keys where 1 are needed",
        |scene, machine| harmful::manifest(machine, scene.generation, harmful::without_signatures),
    )
    .of(BESIDE),
    told(
        "a manifest for another class of machines, on the ESP",
        "the manifest is for machines of the class lab, not for machines of the class check",
        |scene, machine| {
            harmful::manifest(machine, scene.generation, |manifest| {
                manifest.replacen("\"class\":\"check\"", "\"class\":\"lab\"", 1)
            })
        },
    )
    .of(BESIDE),
    told(
        "a machine that halts: rd.systemd.unit=, through SMBIOS",
        "an unsigned word for systemd, which could change what the initrd runs: `rd.systemd.unit=",
        |_, machine| {
            Ok(machine
                .extra_command_line("rd.systemd.unit=emergency.target")
                .last_line(
                    "touchstone-stage1: nothing of the system was started; the machine halts",
                ))
        },
    )
    .of(HALTING),
];
