//! What a root's systemd needs in an initrd: its programs with their libraries, its units, and the rules by which devices are known.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::enter::Root;
use crate::initrd::Initrd;

/// Programs, where they are in the root and in the initrd.
const PROGRAMS: [&str; 11] = [
    "usr/lib/systemd/systemd",
    "usr/lib/systemd/systemd-executor",
    "usr/lib/systemd/systemd-journald",
    "usr/lib/systemd/systemd-shutdown",
    "usr/lib/systemd/systemd-sysroot-fstab-check",
    "usr/lib/systemd/system-generators/systemd-debug-generator",
    "usr/lib/systemd/system-generators/systemd-fstab-generator",
    "usr/lib/systemd/system-generators/systemd-run-generator",
    "usr/bin/systemctl",
    "usr/bin/udevadm",
    "usr/bin/mount",
];
/// One of which only the name is another's.
const UDEV: (&str, &str) = ("usr/lib/systemd/systemd-udevd", "../../bin/udevadm");

/// Units that NixOS takes from systemd as they are, as far as a machine without further devices needs them.
const UNITS: [&str; 46] = [
    "basic.target",
    "ctrl-alt-del.target",
    "debug-shell.service",
    "emergency.service",
    "emergency.target",
    "final.target",
    "halt.target",
    "initrd-cleanup.service",
    "initrd-fs.target",
    "initrd-parse-etc.service",
    "initrd-root-device.target",
    "initrd-root-fs.target",
    "initrd-switch-root.service",
    "initrd-switch-root.target",
    "initrd-udevadm-cleanup-db.service",
    "initrd-usr-fs.target",
    "initrd.target",
    "local-fs-pre.target",
    "local-fs.target",
    "multi-user.target",
    "paths.target",
    "poweroff.target",
    "reboot.target",
    "rescue.service",
    "rescue.target",
    "shutdown.target",
    "slices.target",
    "sockets.target",
    "swap.target",
    "sysinit.target",
    "systemd-halt.service",
    "systemd-journald-dev-log.socket",
    "systemd-journald.service",
    "systemd-journald.socket",
    "systemd-poweroff.service",
    "systemd-reboot.service",
    "systemd-udev-trigger.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udevd.service",
    "timers.target",
    "umount.target",
    "sockets.target.wants/systemd-journald-dev-log.socket",
    "sockets.target.wants/systemd-journald.socket",
    "sockets.target.wants/systemd-udevd-control.socket",
    "sockets.target.wants/systemd-udevd-kernel.socket",
];
/// The same that something begins with.
const WANTED: [&str; 3] = [
    "sysinit.target.wants/systemd-journald.service",
    "sysinit.target.wants/systemd-udev-trigger.service",
    "sysinit.target.wants/systemd-udevd.service",
];
const UNIT_FOLDER: &str = "usr/lib/systemd/system";

/// By which systemd learns that a disk is there.
const RULES: [&str; 4] = [
    "50-udev-default.rules",
    "60-block.rules",
    "60-persistent-storage.rules",
    "99-systemd.rules",
];
const RULE_FOLDER: &str = "usr/lib/udev/rules.d";

/// Links into `/usr`, as Debian has them.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];

/// Empty folders.
const FOLDERS: [&str; 4] = ["run", "sysroot", "tmp", "var"];

/// Lays the files out below the new folder `tree`, as they belong into the initrd's root.
///
/// # Errors
/// When the root has not all of them, or a file cannot be written.
pub fn lay_out(root: &Root, tree: &Path) -> Result<()> {
    let mut initrd = Initrd::new(root);
    for program in PROGRAMS {
        initrd.program(program, program)?;
    }
    let (udevd, target) = UDEV;
    initrd.link(udevd, target);
    let units = UNITS.iter().chain(&WANTED);
    let units = units.map(|unit| format!("{UNIT_FOLDER}/{unit}"));
    let rules = RULES.iter().map(|rule| format!("{RULE_FOLDER}/{rule}"));
    for path in units.chain(rules) {
        as_it_is(&mut initrd, root, &path)?;
    }
    for name in FOLDERS {
        initrd.folder(name);
    }
    initrd.merge(&MERGED);
    initrd.lay_out(tree)
}

/// A file or a link of the root.
fn as_it_is(initrd: &mut Initrd, root: &Root, path: &str) -> Result<()> {
    let there = root.path().join(path);
    if there.is_symlink() {
        let target = fs::read_link(&there)?;
        let target = target.to_str().context("a link whose target is no text")?;
        initrd.link(path, target);
    } else {
        let content = initrd.read(path)?;
        initrd.add(path, 0o100_644, content);
    }
    Ok(())
}
