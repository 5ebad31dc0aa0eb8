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

/// The values of UKIs that are not built, beside those of the built ones.
#[test]
fn parts_measured_together_give_what_the_ukis_built_of_them_give() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.write("initrd", "an initrd");
    work.write("other", "another initrd");
    let generations = [
        ("1", "vmlinuz", vec!["initrd"], "init=/1"),
        ("2", "vmlinuz", vec!["initrd"], "init=/2"),
        ("3", "vmlinuz", vec!["initrd", "other"], "init=/3"),
        ("4", "vmlinuz", vec![], "init=/4"),
    ];
    let mut ukis = serde_json::Map::new();
    for (name, linux, initrds, line) in &generations {
        let parts = serde_json::json!({
            "stub": "stub", "linux": linux, "initrds": initrds, "cmdline": line, "osRelease": "ID=x",
        });
        ukis.insert((*name).to_owned(), parts);
    }
    let request = serde_json::json!({ "ukis": ukis, "banks": BANKS, "phases": PHASES });
    work.write("request.json", request.to_string());
    let together = work.json(["measure", "parts", "--json", "request.json"]);
    for (name, linux, initrds, line) in generations {
        let mut build = vec!["uki", "build", "--stub", "stub", "--linux", linux];
        build.extend(initrds.iter().flat_map(|initrd| ["--initrd", initrd]));
        build.extend(["--cmdline", line, "--os-release", "ID=x"]);
        build.extend(["--output", "uki.efi"]);
        work.done(build);
        let values = &together["ukis"][name][0]["pcrs"]["11"];
        let values: Values = serde_json::from_value(values.clone()).unwrap();
        assert_eq!(values, ours(&work, "uki.efi"), "generation {name}");
    }
}

#[test]
fn parts_with_profiles_give_the_values_of_each_profile() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.addon_stub("trixie", "x64", "addon");
    let profile = ["uki", "build", "--stub", "addon", "--profile", "ID=b"];
    work.done([&profile[..], &["--cmdline", "b", "--output", "b.efi"]].concat());
    let own = [
        "uki",
        "build",
        "--stub",
        "stub",
        "--linux",
        "vmlinuz",
        "--cmdline",
        "a",
    ];
    work.done(
        [
            &own[..],
            &["--join-profile", "b.efi", "--output", "uki.efi"],
        ]
        .concat(),
    );
    let request = serde_json::json!({
        "ukis": { "": { "stub": "stub", "linux": "vmlinuz", "cmdline": "a", "joinProfiles": ["b.efi"] } },
        "phases": [""],
    });
    work.write("request.json", request.to_string());
    let answer = work.json(["measure", "parts", "--json", "request.json"]);
    let profiles = answer["ukis"][""].as_array().unwrap();
    let inspected = work.json(["uki", "inspect", "uki.efi", "--json"]);
    let theirs = inspected["profiles"].as_array().unwrap();
    assert_eq!(profiles.len(), 2);
    for (ours, theirs) in profiles.iter().zip(theirs) {
        assert_eq!(
            ours["pcrs"]["11"]["sha256"][""], theirs["pcr11"]["sha256"],
            "{theirs}"
        );
    }
}

#[test]
fn parts_with_a_stub_that_names_no_version_are_refused() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    let request = serde_json::json!({ "ukis": { "1": { "stub": "vmlinuz", "linux": "vmlinuz" } } });
    work.write("request.json", request.to_string());
    let output = work.touchstone(["measure", "parts", "request.json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("error: ") && said.contains("vmlinuz"),
        "{said}"
    );
}
