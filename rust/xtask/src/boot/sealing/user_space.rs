//! A guest's first user space made of systemd's own tools.

use std::fs;

use anyhow::Result;
use touchstone_harness::Root;
use touchstone_harness::initrd::Initrd;

use super::bench::Bench;

/// The guest's last line.
pub const END: &str = "systemd: end";

/// The programs of the guest: where they are in the root, and where they are put.
const PROGRAMS: [(&str, &str); 3] = [
    ("usr/bin/bash", "bin/bash"),
    ("usr/bin/systemd-creds", "bin/systemd-creds"),
    ("usr/lib/systemd/systemd-pcrextend", "bin/systemd-pcrextend"),
];
/// One that not every root has.
const MOUNT: &str = "usr/bin/mount";
/// What systemd loads by name to speak to a TPM.
const LOADED: [&str; 5] = [
    "libcrypto.so.3",
    "libtss2-esys.so.0",
    "libtss2-mu.so.0",
    "libtss2-rc.so.0",
    "libtss2-tcti-device.so.0",
];
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// Without the firmware's variables, systemd does not know that it was started from a UKI, and would not measure.
const BEFORE: &str = "#!/bin/bash
export PATH=/bin LC_ALL=C SYSTEMD_FORCE_MEASURE=1
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
echo '1 4 1 1' >/proc/sys/kernel/printk
exec </dev/null >/dev/console 2>&1
";
const AFTER: &str = "
echo 'systemd: end'
echo o >/proc/sysrq-trigger
read -r _ </dev/console
";

/// An initrd with the tools of this root's systemd, which does a script; the files are put into its root.
pub fn initrd(
    bench: &Bench<'_>,
    systemd: &Root,
    script: &str,
    files: &[(&str, Vec<u8>)],
) -> Result<Vec<u8>> {
    let mut initrd = Initrd::new(systemd);
    let mount = bench.root.path().join(MOUNT);
    let visit = systemd.visit().show(&mount);
    initrd.libraries(&visit, &mount.display().to_string())?;
    initrd.add("bin/mount", 0o100_755, fs::read(&mount)?);
    for (from, to) in PROGRAMS {
        initrd.program(from, to)?;
    }
    for library in LOADED {
        initrd.library(&format!("{LIBRARIES}/{library}"))?;
    }
    for folder in ["dev", "proc", "run", "sys", "tmp"] {
        initrd.folder(folder);
    }
    for (name, content) in files {
        initrd.add(name, 0o100_400, content.as_slice());
    }
    initrd.add("init", 0o100_755, [BEFORE, script, AFTER].concat());
    Ok(initrd.archive())
}
