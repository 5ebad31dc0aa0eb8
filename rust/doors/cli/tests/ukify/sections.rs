//! Every kind of section beside ukify, in UKIs and addons.

use touchstone_harness::systemds;

use super::Known::{By257And262, By262};
use super::{BASE, Known, amd64, compare_rows, same_as_ukify};
use crate::support::{Work, noise};

/// Devices as systemd describes them: one is described twice, one lies in a folder of its own, and other files lie beside them.
fn devices(work: &Work, folder: &str) {
    let device = |file: &str, name: &str, compatible: &str, ids: &[&str]| {
        let described = serde_json::json!({
            "type": "devicetree", "name": name, "compatible": compatible, "hwids": ids, "extra": 1,
        });
        work.write(&format!("{folder}/{file}"), described.to_string());
    };
    std::fs::create_dir_all(work.path(&format!("{folder}/maker/more"))).unwrap();
    let laptop = [
        "5dc05bf4-01f6-4089-b464-a08c47ea9295",
        "3E3F8F3C-2003-46F2-811C-85554F7D5952",
        "3e3f8f3c200346f2811c85554f7d5952",
    ];
    device(
        "b.json",
        "Example Laptop 16 Gen 7",
        "example,laptop-16-g7",
        &laptop,
    );
    device(
        "B.json",
        "Écran",
        "example,screen",
        &["{00000000-0000-0000-0100-0000000000ff}"],
    );
    device(
        "maker.json",
        "Example Laptop",
        "example,laptop-16-g7",
        &laptop[..1],
    );
    let once = "urn:uuid:00010203-0405-0607-0809-0a0b0c0d0e0f";
    device(
        "maker/z.json",
        "Example Laptop 16 Gen 7",
        "example,laptop-16-g7",
        &[once],
    );
    device(
        "maker/more/a.json",
        "Example Laptop",
        "example,other",
        &[once],
    );
    work.write(&format!("{folder}/readme.txt"), "no device");
    work.write(&format!("{folder}/c.JSON"), "no device");
}

/// Devices for firmware, too.
fn firmware_devices(work: &Work, folder: &str) {
    devices(work, folder);
    let described = r#"{"type":"uefi-fw","name":"Board","fwid":"fw-one","hwids":["10000000-01f6-4089-b464-a08c47ea9295"]}"#;
    work.write(&format!("{folder}/firmware.json"), described);
}

fn firmware(work: &Work, folder: &str, len: usize) {
    std::fs::create_dir_all(work.path(folder)).unwrap();
    work.write(&format!("{folder}/image.cap"), noise(8, len));
}

const SECTIONS: [(&str, Known, &str); 14] = [
    (
        "one device tree to choose",
        By257And262,
        "--dtbauto board.dtb",
    ),
    (
        "many device trees to choose from",
        By257And262,
        "--dtb board.dtb --dtbauto blob --dtbauto board.dtb --dtbauto ucode --cmdline quiet",
    ),
    ("hardware IDs", By257And262, "--hwids devices"),
    (
        "device trees by hardware IDs",
        By257And262,
        "--hwids devices --dtbauto board.dtb --dtbauto blob --splash splash.bmp --cmdline quiet",
    ),
    ("microcode alone", By257And262, "--ucode ucode"),
    (
        "PCR signatures",
        By257And262,
        "--pcrsig @signatures --cmdline quiet --pcrpkey blob",
    ),
    (
        "PCR signatures behind more sections",
        By257And262,
        "--section .mine:text --section .more:@blob --pcrsig @signatures --initrd initrd",
    ),
    (
        "a section in the place of one that has an option",
        By257And262,
        "--section .ucode:@ucode --section .dtbauto:@blob --section .dtbauto:@ucode",
    ),
    ("firmware", By262, "--efifw fw-one"),
    (
        "much firmware",
        By262,
        "--efifw fw-two/ --efifw ./fw-one --efifw fw-two --initrd initrd",
    ),
    (
        "firmware by hardware IDs",
        By262,
        "--hwids firmware-devices --efifw fw-one",
    ),
    (
        "an empty splash",
        By257And262,
        "--splash empty --dtb empty --ucode empty --dtbauto empty",
    ),
    (
        "every section",
        By257And262,
        "--os-release @os-release --cmdline @cmdline --dtb board.dtb --dtbauto blob --dtbauto ucode --hwids devices --uname 6.1 \
         --splash splash.bmp --pcrpkey blob --initrd initrd --initrd third-initrd --ucode ucode --section .mine:text --sbat @sbat \
         --pcrsig @signatures",
    ),
    (
        "every section, firmware too",
        By262,
        "--ucode ucode --efifw fw-one --efifw fw-two --initrd initrd --pcrpkey blob --splash splash.bmp --uname 6.1 \
         --hwids firmware-devices --dtbauto ucode --dtb board.dtb --cmdline @cmdline --os-release @os-release --section .mine:text",
    ),
];

const ADDONS: [(&str, Known, &str); 7] = [
    ("a command line", By257And262, "--cmdline debug"),
    (
        "a command line from a file, and SBAT",
        By257And262,
        "--cmdline @cmdline --sbat @sbat",
    ),
    (
        "microcode and initrds",
        By257And262,
        "--ucode ucode --initrd initrd --initrd third-initrd",
    ),
    (
        "device trees",
        By257And262,
        "--dtb board.dtb --dtbauto blob --dtbauto ucode",
    ),
    (
        "hardware IDs",
        By257And262,
        "--hwids devices --dtbauto blob",
    ),
    (
        "a version and more sections",
        By257And262,
        "--uname 6.1 --section .mine:text --section .more:@blob",
    ),
    ("firmware", By262, "--efifw fw-one --hwids firmware-devices"),
];

fn parts(work: &Work) {
    devices(work, "devices");
    firmware_devices(work, "firmware-devices");
    firmware(work, "fw-one", 5_000);
    firmware(work, "fw-two", 1);
    work.write("signatures", r#"{"sha256":[{"pcrs":[11],"pkfp":"00"}]}"#);
}

#[test]
fn each_kind_of_section_is_that_of_ukify() {
    let work = amd64();
    parts(&work);
    compare_rows(&work, &BASE, &SECTIONS);
}

#[test]
fn an_addon_is_that_of_ukify() {
    let work = amd64();
    parts(&work);
    work.addon_stub("trixie", "x64", "addon");
    compare_rows(&work, &["--stub", "addon"], &ADDONS);
    compare_rows(&work, &["--stub", "stub"], &ADDONS[..1]);
}

/// The devices that systemd ships for arm64 are in its newest release; [`systemds`] says so if that is not there.
#[test]
fn the_devices_that_systemd_ships_are_those_of_ukify() {
    let work = Work::with_kernel("arm64");
    work.addon_stub("trixie", "aa64", "addon");
    let newest = systemds(&work.inputs)
        .into_iter()
        .find(|systemd| systemd.release > 257);
    let Some(sid) = newest.and(work.inputs.sid()) else {
        return;
    };
    let shipped = sid.path().join("usr/lib/systemd/boot/hwids/aa64");
    std::fs::create_dir(work.path("shipped")).unwrap();
    for device in std::fs::read_dir(shipped).unwrap() {
        let device = device.unwrap();
        std::fs::copy(device.path(), work.path("shipped").join(device.file_name())).unwrap();
    }
    let words = ["--stub", "addon", "--hwids", "shipped"];
    same_as_ukify(&work, "the devices that systemd ships", &words);
}
