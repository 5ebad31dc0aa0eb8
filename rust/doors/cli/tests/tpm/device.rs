//! The kernel's TPM device and its resource manager: the documentation's commands as they stand, in a machine.

use std::fs;

use touchstone_harness::boot::{Firmware, Machine};
use touchstone_harness::initrd::Initrd;

use super::{Tpm, documented};
use crate::support::{TOUCHSTONE, Work};

/// The programs of the first user space, beside bash and `touchstone`.
const PROGRAMS: [&str; 6] = ["bash", "base64", "cat", "head", "mount", "openssl"];
const TOOLS: [&str; 5] = ["createprimary", "create", "load", "evictcontrol", "import"];
/// What is loaded by name while a program runs.
const LOADED: [&str; 2] = ["libtss2-tcti-device.so.0", "ossl-modules/tpm2.so"];
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

const BEFORE: &str = "#!/bin/bash
export PATH=/bin LC_ALL=C
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
exec </dev/null >/dev/console 2>&1
cd /work
";

/// Behind what the progress bar left.
const AFTER: &str = "
echo
for file in handle.crt file.crt old.crt signed-by-{handle,file,old}.efi; do
    echo \"file $file $(base64 --wrap=0 $file)\"
done
echo 'tpm keys: end'
echo o >/proc/sysrq-trigger
read -r _ </dev/console
";

/// A machine's first user space, which does what the documentation says in `/work`.
fn initrd(work: &Work) -> Vec<u8> {
    let root = work.inputs.trixie();
    let mut initrd = Initrd::new(&root);
    for program in PROGRAMS.into_iter().chain(["tpm2"]) {
        let path = format!("usr/bin/{program}");
        initrd.program(&path, &format!("bin/{program}")).unwrap();
    }
    for tool in TOOLS {
        initrd.link(&format!("bin/tpm2_{tool}"), "tpm2");
    }
    for module in LOADED {
        initrd.library(&format!("{LIBRARIES}/{module}")).unwrap();
    }
    let visit = root.visit().show(TOUCHSTONE);
    initrd.libraries(&visit, TOUCHSTONE).unwrap();
    initrd.add("bin/touchstone", 0o100_755, fs::read(TOUCHSTONE).unwrap());
    initrd.add(
        "usr/lib/ssl/openssl.cnf",
        0o100_644,
        initrd.read("etc/ssl/openssl.cnf").unwrap(),
    );
    for name in ["old.key", "old.crt", "loader.efi"] {
        initrd.add(&format!("work/{name}"), 0o100_600, work.read(name));
    }
    for folder in ["dev", "proc", "tmp"] {
        initrd.folder(folder);
    }
    initrd.add("init", 0o100_755, [BEFORE, &documented(), AFTER].concat());
    initrd.archive()
}

#[test]
fn boots_a_machine_whose_tpm_signs_with_the_documented_commands() {
    let tpm = Tpm::of(Work::with_kernel("amd64"));
    let work = &tpm.work;
    fs::rename(work.path("addon"), work.path("loader.efi")).unwrap();
    tpm.done("openssl req -x509 -newkey rsa:2048 -nodes -keyout old.key -subj /CN=old -days 30 -out old.crt 2>openssl.stderr");
    work.stub("trixie", "x64", "stub");
    work.write("initrd", initrd(work));
    work.done([
        "uki",
        "build",
        "--stub",
        "stub",
        "--linux",
        "vmlinuz",
        "--initrd",
        "initrd",
        "--cmdline",
        "console=ttyS0 quiet loglevel=0 panic=-1",
        "--output",
        "machine.efi",
    ]);
    let root = work.inputs.trixie();
    let firmware = Firmware {
        code: work.inputs.ovmf.code.clone(),
        variables: work.inputs.ovmf.vars.clone(),
    };
    let boot = Machine::new(&root, firmware)
        .file("EFI/BOOT/BOOTX64.EFI", work.path("machine.efi"))
        .memory(1024)
        .last_line("tpm keys: end")
        .boot()
        .unwrap();
    boot.reached()
        .unwrap_or_else(|error| panic!("{error:#}\n{}", boot.serial));
    for line in boot.serial.lines() {
        if let Some((name, content)) = line
            .strip_prefix("file ")
            .and_then(|line| line.split_once(' '))
        {
            work.write("base64", content);
            let decoded = work.debian("base64", &["--decode", "base64"]);
            work.write(name, decoded.stdout);
        }
    }
    for key in ["handle", "file", "old"] {
        let signed = format!("signed-by-{key}.efi");
        assert!(
            tpm.is_accepted(&format!("{key}.crt"), &signed),
            "{key}: {}",
            boot.serial
        );
    }
}
