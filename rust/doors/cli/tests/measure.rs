//! `touchstone measure uki` gives the values of `systemd-measure calculate`, for each phase and bank.

use std::collections::BTreeMap;

use serde_json::Value;
use touchstone_harness::{Systemd, systemds};

use crate::support::Work;

const BANKS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];
/// The moment before the first phase, systemd's own phases, and one that nobody uses.
const PHASES: [&str; 6] = [
    "",
    "enter-initrd",
    "enter-initrd:leave-initrd",
    "enter-initrd:leave-initrd:sysinit",
    "enter-initrd:leave-initrd:sysinit:ready",
    "mine:and-mine",
];

/// Bank → phase path → value.
type Values = BTreeMap<String, BTreeMap<String, String>>;

fn ours(work: &Work, uki: &str) -> Values {
    let mut arguments = vec!["measure", "uki", uki, "--json"];
    arguments.extend(BANKS.iter().flat_map(|bank| ["--bank", bank]));
    arguments.extend(PHASES.iter().flat_map(|phase| ["--phase", phase]));
    let answer = work.json(arguments);
    serde_json::from_value(answer["pcrs"]["11"].clone()).unwrap()
}

/// What systemd-measure says of the sections that ukify finds in the image.
fn theirs(work: &Work, systemd: &Systemd, uki: &str, sections: &[&str]) -> Values {
    let mut extract = vec!["inspect".to_owned(), uki.to_owned()];
    let mut calculate = vec!["calculate".to_owned(), "--json=short".to_owned()];
    for section in sections {
        extract.extend([
            "--section".to_owned(),
            format!(".{section}:binary@section-{section}"),
        ]);
        calculate.push(format!("--{section}=section-{section}"));
    }
    calculate.extend(BANKS.iter().map(|bank| format!("--bank={bank}")));
    calculate.extend(PHASES.iter().map(|phase| format!("--phase={phase}")));
    work.systemd(systemd, "ukify", &extract);
    let printed = work.systemd(systemd, systemd.measure(), &calculate);
    let answer: BTreeMap<String, Vec<Value>> = serde_json::from_str(&printed).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let by_phase = |values: Vec<Value>| {
        let values = values.iter();
        values
            .map(|value| (text(&value["phase"]), text(&value["hash"])))
            .collect()
    };
    let banks = answer.into_iter();
    banks
        .map(|(bank, values)| (bank, by_phase(values)))
        .collect()
}

fn same_as_systemd_measure(sections: &[&str], parts: &[&str]) {
    let work = Work::with_kernel("amd64");
    for systemd in systemds(&work.inputs) {
        for suite in work
            .stub_suites()
            .iter()
            .filter(|suite| *suite != "bookworm")
        {
            work.stub(suite, "x64", "stub");
            let release = systemd.release.to_string();
            let build = [
                "uki", "build", "--stub", "stub", "--linux", "vmlinuz", "--output", "uki.efi",
                "--compat", &release,
            ];
            work.done([&build, parts].concat());
            let (ours, theirs) = (
                ours(&work, "uki.efi"),
                theirs(&work, &systemd, "uki.efi", sections),
            );
            assert_eq!(ours.len(), BANKS.len());
            assert!(ours.values().all(|values| values.len() == PHASES.len()));
            assert_eq!(ours, theirs, "systemd-measure {release}, stub of {suite}");
        }
    }
}

#[test]
fn the_pcr_of_a_small_uki_is_that_of_systemd_measure() {
    same_as_systemd_measure(&["linux", "uname", "sbat"], &[]);
}

#[test]
fn the_pcr_of_a_usual_uki_is_that_of_systemd_measure() {
    same_as_systemd_measure(
        &["linux", "osrel", "cmdline", "initrd", "uname", "sbat"],
        &[
            "--initrd",
            "initrd",
            "--initrd",
            "third-initrd",
            "--cmdline",
            "quiet",
            "--os-release",
            "@os-release",
        ],
    );
}

#[test]
fn the_pcr_of_a_uki_with_every_measured_section_is_that_of_systemd_measure() {
    same_as_systemd_measure(
        &[
            "linux", "osrel", "cmdline", "initrd", "ucode", "splash", "dtb", "uname", "sbat",
            "pcrpkey",
        ],
        &[
            "--initrd",
            "initrd",
            "--cmdline",
            "@cmdline",
            "--os-release",
            "@os-release",
            "--ucode",
            "ucode",
            "--splash",
            "splash.bmp",
            "--dtb",
            "board.dtb",
            "--uname",
            "6.1.0-given",
            "--sbat",
            "@sbat",
            "--pcrpkey",
            "blob",
            "--section",
            ".mine:not measured",
        ],
    );
}

/// Such a section is there, and nothing of it is measured, not even its name.
#[test]
fn empty_sections_are_not_measured_as_systemd_measure_does_not() {
    same_as_systemd_measure(
        &["linux", "osrel", "cmdline", "initrd", "uname", "sbat"],
        &[
            "--initrd",
            "empty",
            "--cmdline",
            "@empty",
            "--os-release",
            "@empty",
        ],
    );
}

/// Signing comes after measuring: what is measured are the sections, not the file.
#[test]
fn a_signature_does_not_change_the_pcr() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.keys("keys");
    let build = ["uki", "build", "--stub", "stub", "--linux", "vmlinuz"];
    work.done([&build[..], &["--output", "plain.efi"]].concat());
    let key = [
        "--key",
        "keys/db.key",
        "--certificate",
        "keys/db.pem",
        "--output",
        "signed.efi",
    ];
    work.done([&build[..], &key].concat());
    assert_ne!(work.read("plain.efi"), work.read("signed.efi"));
    assert_eq!(ours(&work, "plain.efi"), ours(&work, "signed.efi"));
}
