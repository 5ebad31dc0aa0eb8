//! The machine itself: what its boots rest on.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use std::path::{Path, PathBuf};

use touchstone_harness::boot::{Done, Firmware, Machine, Order};
use touchstone_harness::nix::output;
use touchstone_harness::{Inputs, guest, inputs};

fn uki(inputs: &Inputs, folder: &Path) -> PathBuf {
    let initrd = guest::initrd(inputs, &folder.join("initrd"), Some("1")).unwrap();
    let path = folder.join("uki.efi");
    let mut build = guest::uki(inputs).unwrap();
    build.args(["--cmdline", guest::COMMAND_LINE, "--initrd"]);
    build.arg(initrd).arg("--output").arg(&path);
    output(build).unwrap();
    path
}

#[test]
fn boots_from_a_cd_without_a_loader_and_measures_in_all_four_banks() {
    let (inputs, folder) = (inputs(), tempfile::tempdir().unwrap());
    let root = inputs.trixie();
    let boot = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/BOOT/BOOTX64.EFI", uki(&inputs, folder.path()))
        .on_cd()
        .banks(&["sha1", "sha256", "sha384", "sha512"])
        .orders(&[Order::Extend {
            pcr: 11,
            word: "enter-initrd".to_owned(),
        }])
        .boot()
        .unwrap();
    boot.reached()
        .unwrap_or_else(|error| panic!("{error:#}\n{}", boot.serial));
    for (bank, digits) in [
        ("sha1", 40),
        ("sha256", 64),
        ("sha384", 96),
        ("sha512", 128),
    ] {
        let registers = &boot.report.pcrs[bank];
        for pcr in [0, 4, 7, 9, 11] {
            assert_ne!(registers[&pcr], "0".repeat(digits), "{bank} {pcr}");
        }
        assert_eq!(registers[&16], "0".repeat(digits), "{bank}");
        let Some(Done::Extended(after)) = boot.report.done.get(&0) else {
            panic!("{:?}", boot.report.done)
        };
        assert_ne!(after[bank], registers[&11], "{bank}");
    }
}

#[test]
fn boots_the_first_of_the_firmwares_boot_options() {
    let (inputs, folder) = (inputs(), tempfile::tempdir().unwrap());
    let root = inputs.trixie();
    let boot = Machine::new(&root, Firmware::of_debian(root.path()))
        .file("EFI/Linux/uki.efi", uki(&inputs, folder.path()))
        .boot_options(&[("Linux", "EFI/Linux/uki.efi"), ("none", "EFI/none.efi")])
        .boot()
        .unwrap();
    boot.reached()
        .unwrap_or_else(|error| panic!("{error:#}\n{}", boot.serial));
    assert!(
        boot.serial.contains("starting Boot0001 \"Linux\""),
        "{}",
        boot.serial
    );
}
