//! PCR 15 of machines on which systemd itself measured who they are.

use std::fs;
use std::path::PathBuf;

use touchstone_harness::boot::{Firmware, Machine};
use touchstone_harness::initrd::Initrd;
use touchstone_harness::{Root, inputs};
use touchstone_measure::{BootPath, FileSystem, Identity, Partition};

use crate::bench::{BANKS, Bench, predicted};
use crate::stub::plain;

const ID: &str = "0123456789abcdef0123456789abcdef";
/// The guest's last line.
const END: &str = "identity: end";
/// The modules behind a file system on the ESP, in the order in which they are loaded.
const MODULES: [&str; 5] = [
    "drivers/block/virtio_blk",
    "fs/nls/nls_cp437",
    "fs/nls/nls_ascii",
    "fs/fat/fat",
    "fs/fat/vfat",
];
/// What systemd loads by name to speak to a TPM and to look at a disk.
const LOADED: [&str; 6] = [
    "libblkid.so.1",
    "libcrypto.so.3",
    "libtss2-esys.so.0",
    "libtss2-mu.so.0",
    "libtss2-rc.so.0",
    "libtss2-tcti-device.so.0",
];

/// Perl makes the one system call for which these roots have no program: `finit_module`, of compressed files.
const INIT: &str = r#"#!/bin/bash
export PATH=/bin LC_ALL=C SYSTEMD_FORCE_MEASURE=1 LOAD=/perl/ld-linux-x86-64.so.2
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
echo '1 4 1 1' >/proc/sys/kernel/printk
exec </dev/null >/dev/console 2>&1
for module in /modules/*; do
  $LOAD --library-path /perl /perl/perl -e 'open F, "<", $ARGV[0]; $e = ""; syscall(313, fileno F, $e, 4) and print "$ARGV[0]: $!\n"' "$module"
done
for wait in {1..99}; do [ -e /dev/vda1 ] && break; read -t 0.1 <>/dev/tty0; done
mount -t vfat -o ro /dev/vda1 /esp
systemd-pcrextend --machine-id
systemd-pcrextend --file-system=/esp
for bank in sha1 sha256; do
  read -r value <"/sys/class/tpm/tpm0/pcr-$bank/15"
  echo "identity: $bank $value"
done
echo 'identity: end'
echo o >/proc/sysrq-trigger
read -r _ </dev/console
"#;

/// Adds Debian 13's Perl with its own libraries, which other releases may lack.
fn perl(initrd: &mut Initrd, trixie: &Root) {
    let mut command = trixie.command("/lib64/ld-linux-x86-64.so.2").unwrap();
    let output = command.args(["--list", "/usr/bin/perl"]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let words = printed.split_whitespace().chain(["/usr/bin/perl"]);
    for path in words.filter_map(|word| word.strip_prefix('/')) {
        let name = path.rsplit('/').next().unwrap();
        let content = fs::read(trixie.path().join(path)).unwrap();
        initrd.add(&format!("perl/{name}"), 0o100_755, content);
    }
}

/// An initrd in which systemd of this root measures the machine.
fn initrd(bench: &Bench, systemd: &Root) -> PathBuf {
    let mut initrd = Initrd::new(systemd);
    let trixie = bench.inputs.trixie();
    let mount = trixie.path().join("usr/bin/mount");
    let visit = systemd.visit().show(&mount);
    initrd.libraries(&visit, mount.to_str().unwrap()).unwrap();
    initrd.add("bin/mount", 0o100_755, fs::read(mount).unwrap());
    perl(&mut initrd, &trixie);
    initrd.program("usr/bin/bash", "bin/bash").unwrap();
    let program = "usr/lib/systemd/systemd-pcrextend";
    initrd.program(program, "bin/systemd-pcrextend").unwrap();
    for library in LOADED {
        let path = format!("usr/lib/x86_64-linux-gnu/{library}");
        initrd.library(&path).unwrap();
    }
    for folder in ["dev", "esp", "proc", "run", "sys", "tmp"] {
        initrd.folder(folder);
    }
    for (number, module) in MODULES.iter().enumerate() {
        let folder = bench.inputs.kernel["amd64"].modules.join("kernel");
        let content = fs::read(folder.join(format!("{module}.ko.xz"))).unwrap();
        initrd.add(&format!("modules/{number}"), 0o100_644, content);
    }
    initrd.add("etc/machine-id", 0o100_644, format!("{ID}\n"));
    initrd.add("init", 0o100_755, INIT);
    bench.file("systemd.cpio", &initrd.archive())
}

/// The ESP of the harness' machines, which stands for any partition.
fn esp() -> FileSystem {
    FileSystem {
        path: "/esp".into(),
        partition: Some(Partition {
            file_system: "vfat".into(),
            identifier: "5453-5445".into(),
            label: "ESP".into(),
            guid: "70756f74-7368-4f6e-8e65-000000000002".into(),
            kind: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b".into(),
            name: "ESP".into(),
        }),
    }
}

/// Boots a guest in which systemd of this root measures the machine, and compares what its TPM holds.
fn compare(systemd: &Root) {
    let bench = Bench::new();
    let initrd = ("--initrd=", initrd(&bench, systemd));
    let uki = bench.uki_of("trixie", &[&[initrd], &plain(&bench)[..]].concat());
    let root = bench.inputs.trixie();
    let machine = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", uki.as_path())
        .variables(bench.variables(true))
        .last_line(END);
    let path = BootPath {
        identity: Some(Identity {
            closure: None,
            machine_id: ID.parse().unwrap(),
            file_systems: vec![esp()],
        }),
        loader: None,
        ..bench.path_through(true, &bench.inputs.boot["trixie"]["x64"], &uki)
    };
    let predicted = predicted(&path, &[15]);
    let boot = machine.boot().unwrap();
    boot.reached().unwrap();
    for bank in BANKS {
        let value = predicted.leaves[0].pcrs[&15][&bank]
            .to_string()
            .to_uppercase();
        let line = format!("identity: {bank} {value}");
        assert!(boot.serial.contains(&line), "{line}\n{}", boot.serial);
    }
}

#[test]
fn pcr_15_holds_the_machine_id_and_the_file_system_on_a_partition_as_257_measures_them() {
    compare(&inputs().trixie());
}

#[test]
fn pcr_15_holds_the_machine_id_and_the_file_system_on_a_partition_as_262_measures_them() {
    match inputs().sid() {
        Some(root) => compare(&root),
        None => eprintln!("note: sid does not answer: nothing is compared with systemd 262"),
    }
}
