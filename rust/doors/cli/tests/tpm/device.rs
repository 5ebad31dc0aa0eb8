//! The kernel's TPM device and its resource manager: the documentation's commands as they stand, in a machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use touchstone_harness::boot::{Firmware, Machine};

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

/// The files of an initrd, by path: mode and content.
#[derive(Default)]
struct Initrd(BTreeMap<String, (u32, Vec<u8>)>);

impl Initrd {
    fn add(&mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) {
        for (end, _) in path.match_indices('/') {
            let folder = path[..end].to_owned();
            self.0.entry(folder).or_insert((0o040_755, Vec::new()));
        }
        self.0.insert(path.to_owned(), (mode, content.into()));
    }

    /// The archive in the form newc (Documentation/driver-api/early-userspace/buffer-format.rst).
    fn archive(mut self) -> Vec<u8> {
        self.0.insert("TRAILER!!!".to_owned(), (0, Vec::new()));
        let mut archive = Vec::new();
        // The trailer's name sorts before those in small letters, and has to come last.
        let (trailer, files): (Vec<_>, Vec<_>) = self
            .0
            .into_iter()
            .partition(|(name, _)| name == "TRAILER!!!");
        for (number, (name, (mode, content))) in files.into_iter().chain(trailer).enumerate() {
            // Its number, mode, owners, links, time, length, devices, and the length of its name; a sum that is not used.
            let fields = [
                number + 1,
                mode as usize,
                0,
                0,
                1,
                0,
                content.len(),
                0,
                0,
                0,
                0,
                name.len() + 1,
                0,
            ];
            archive.extend(b"070701");
            archive.extend(
                fields
                    .iter()
                    .flat_map(|field| format!("{field:08x}").into_bytes()),
            );
            archive.extend(name.bytes().chain([0]));
            archive.resize(archive.len().next_multiple_of(4), 0);
            archive.extend(content);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
        archive
    }
}

/// The libraries that a program of the root, or ours, is linked with: where the root's loader finds them.
fn libraries(work: &Work, program: &str) -> BTreeSet<String> {
    let visit = work.inputs.trixie().visit().show(TOUCHSTONE);
    let mut loader = visit.command("/lib64/ld-linux-x86-64.so.2").unwrap();
    let output = loader.args(["--list", program]).output().unwrap();
    assert!(output.status.success(), "{program}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let paths = printed
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    paths.map(|path| path[1..].to_owned()).collect()
}

/// A machine's first user space, which does what the documentation says in `/work`.
fn initrd(work: &Work) -> Vec<u8> {
    let root = work.inputs.trixie();
    let read = |path: &str| {
        fs::read(root.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let mut initrd = Initrd::default();
    let mut linked = libraries(work, TOUCHSTONE);
    for program in PROGRAMS.into_iter().chain(["tpm2"]) {
        let path = format!("usr/bin/{program}");
        linked.extend(libraries(work, &format!("/{path}")));
        initrd.add(&format!("bin/{program}"), 0o100_755, read(&path));
    }
    for tool in TOOLS {
        initrd.add(&format!("bin/tpm2_{tool}"), 0o120_777, "tpm2");
    }
    for module in LOADED {
        let path = format!("{LIBRARIES}/{module}");
        linked.extend(libraries(work, &format!("/{path}")));
        linked.insert(path);
    }
    for path in linked {
        initrd.add(&path, 0o100_755, read(&path));
    }
    initrd.add("bin/touchstone", 0o100_755, fs::read(TOUCHSTONE).unwrap());
    initrd.add(
        "usr/lib/ssl/openssl.cnf",
        0o100_644,
        read("etc/ssl/openssl.cnf"),
    );
    for name in ["old.key", "old.crt", "loader.efi"] {
        initrd.add(&format!("work/{name}"), 0o100_600, work.read(name));
    }
    for folder in ["dev", "proc", "tmp"] {
        initrd.add(folder, 0o040_755, "");
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
