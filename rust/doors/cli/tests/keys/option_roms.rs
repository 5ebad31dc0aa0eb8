//! The option ROM of a machine that really booted.

use touchstone_harness::boot::{Firmware, Machine};
use touchstone_harness::guest;

use super::*;

/// A UKI that reports what it finds.
fn ready() -> Work {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    guest::initrd(&work.inputs, &work.path("probe"), None).unwrap();
    let parts = [
        "uki",
        "build",
        "--stub",
        "stub",
        "--linux",
        "vmlinuz",
        "--initrd",
        "probe/initrd",
    ];
    let cmdline = ["--cmdline", guest::COMMAND_LINE];
    let output = ["--output", "uki.efi"];
    work.done([&parts[..], &cmdline, &output].concat());
    work
}

/// Boots a machine with an option ROM, without keys. (OVMF trusts the host that lends it the ROM: it runs it under any keys.)
fn boot(work: &Work, log: &str) {
    let root = work.inputs.trixie();
    let machine = Machine::new(&root, Firmware::of_debian(root.path()));
    let boot = machine
        .with_option_rom()
        .file("EFI/BOOT/BOOTX64.EFI", work.path("uki.efi"))
        .boot()
        .unwrap();
    boot.reached().unwrap();
    work.write(log, boot.report.event_log);
}

/// The option ROMs in a log.
fn option_roms(work: &Work, log: &str) -> Vec<Value> {
    let esl = [
        "keys",
        "esl",
        "--json",
        "--output",
        "roms.esl",
        "--tpm-eventlog",
        log,
    ];
    let answer = work.json(esl);
    answer["optionRoms"].as_array().unwrap().clone()
}

#[test]
fn the_option_roms_that_a_machine_ran_are_put_into_db_or_keys_are_refused() {
    let work = ready();
    boot(&work, "machine.log");
    let roms = option_roms(&work, "machine.log");
    assert_eq!(roms.len(), 1, "{roms:?}");
    let what = roms[0]["what"].as_str().unwrap();
    assert!(
        what.starts_with("image of ") && what.contains("Pci("),
        "{what}"
    );
    let entries = work.inspected("roms.esl")["entries"].take();
    assert_eq!(entries[0]["digest"], roms[0]["sha256"]);
    keys_without_it_are_refused(&work, &roms[0]);
}

fn keys_without_it_are_refused(work: &Work, rom: &Value) {
    let digest = rom["sha256"].as_str().unwrap();
    let check = [
        "keys",
        "generate",
        "--json",
        "--check-eventlog",
        "machine.log",
    ];
    let output = work.touchstone([&check[..], &["refused"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(digest) && said.contains("--allow-unverified-option-roms"),
        "{said}"
    );
    assert!(!work.path("refused").exists());

    let risk = work.json([&check[..], &["--allow-unverified-option-roms", "risk"]].concat());
    assert!(codes(&risk).contains(&"option-roms-refused"), "{risk}");

    let listed = work.json([&check[..], &["--tpm-eventlog", "machine.log", "listed"]].concat());
    assert_eq!(codes(&listed), ["kek-without-microsoft"]);
    assert_eq!(listed["optionRoms"][0], *rom);
    let entries = work.inspected("listed/db.esl")["entries"].take();
    assert_eq!(entries[1]["digest"], digest);

    let package = "usr/lib/python3/dist-packages/virt/firmware/certs";
    let theirs = work.inputs.trixie().path().join(package);
    for (name, code) in [
        ("MicrosoftUEFICA2023.pem", Some("option-roms-unproven")),
        ("WindowsUEFICA2023.pem", None),
    ] {
        let certificate = theirs.join(name).display().to_string();
        let output = work.touchstone([&check[..], &["--microsoft", &certificate, name]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), code.is_some(), "{said}");
        assert!(
            said.contains(code.unwrap_or("nothing in db allows")),
            "{said}"
        );
    }
}
