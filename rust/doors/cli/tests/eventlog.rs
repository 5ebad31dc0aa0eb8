//! `touchstone eventlog`, beside tpm2_eventlog.

mod compare;
mod made;
mod userspace;

pub use userspace::phase;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use touchstone_harness::nix::output;

use crate::support::{Work, event_log};

const BANKS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];

/// What a program says of an event: its register, type, and digests by bank.
type Event = (u64, String, BTreeMap<String, String>);
/// PCR → bank → value.
type Values = BTreeMap<String, BTreeMap<String, String>>;

/// A folder with a log of the fuzz target's seeds as `machine.log`.
fn with_log(name: &str) -> Work {
    let work = Work::new();
    std::fs::copy(event_log(name), work.path("machine.log")).unwrap();
    work
}

/// The log of a machine that booted a UKI under Debian's OVMF of 2025.
fn machine() -> Work {
    with_log("ovmf-2025.02")
}

fn shown(work: &Work) -> Vec<Value> {
    let mut answer = work.json(["eventlog", "show", "--json", "machine.log"]);
    serde_json::from_value(answer["events"].take()).unwrap()
}

fn replayed(work: &Work, options: &[&str]) -> Value {
    work.json([&["eventlog", "replay", "--json", "machine.log"], options].concat())
}

/// What tpm2_eventlog prints of the log: YAML of a known shape.
fn by_tpm2_tools(work: &Work) -> (Vec<Event>, Values) {
    let visit = work.inside(work.inputs.trixie().visit());
    let mut command = visit.command("tpm2_eventlog").unwrap();
    command.arg("machine.log");
    let printed = output(command).unwrap();
    let (events, values) = printed.split_once("\npcrs:\n").unwrap();
    let events = events.split("- EventNum: ").skip(1);
    (events.map(event_of_tpm2_tools).collect(), values_of(values))
}

fn event_of_tpm2_tools(text: &str) -> Event {
    let (mut pcr, mut kind, mut digests) = (None, None, BTreeMap::new());
    // The header has one digest, without an algorithm: SHA-1.
    let mut bank = "sha1";
    for line in text.lines().map(str::trim) {
        match line.split_once(": ") {
            Some(("PCRIndex", number)) => pcr = number.parse().ok(),
            Some(("EventType", name)) => kind = Some(name.to_owned()),
            Some(("- AlgorithmId", name)) => bank = name,
            Some(("Digest", digest)) => {
                digests.insert(bank.to_owned(), digest.trim_matches('"').to_owned());
            }
            _ => (),
        }
    }
    (pcr.unwrap(), kind.unwrap(), digests)
}

fn values_of(text: &str) -> Values {
    let mut values = Values::new();
    let mut bank = "";
    for line in text.lines() {
        match line.trim().split_once(':').unwrap() {
            (name, "") => bank = name,
            (pcr, value) => {
                let value = value.trim().trim_start_matches("0x").to_owned();
                let banks = values.entry(pcr.trim().to_owned()).or_default();
                banks.insert(bank.to_owned(), value);
            }
        }
    }
    values
}

#[test]
fn every_register_of_every_bank_replays_as_tpm2_tools_say() {
    let work = machine();
    let ours = replayed(&work, &[]);
    let fields: Vec<&String> = ours.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["pcrs"]);
    let (_, theirs) = by_tpm2_tools(&work);
    let ours: Values = serde_json::from_value(ours["pcrs"].clone()).unwrap();
    assert_eq!(ours, theirs);
    let registers = [0, 1, 2, 3, 4, 5, 6, 7, 9, 11].map(|pcr| pcr.to_string());
    assert_eq!(ours.len(), registers.len());
    for pcr in registers {
        assert!(ours[&pcr].keys().eq(BANKS), "{pcr}");
    }
}

/// Logs that were made for the fuzz target: two banks, a noted locality beside SM3, and the format of TPM 1.2.
#[test]
fn logs_of_other_formats_replay_as_tpm2_tools_say() {
    for name in ["crypto-agile", "locality", "tpm-1.2"] {
        let work = with_log(name);
        let ours = replayed(&work, &[])["pcrs"].take();
        let ours: Values = serde_json::from_value(ours).unwrap();
        let (_, mut theirs) = by_tpm2_tools(&work);
        for banks in theirs.values_mut() {
            let sm3 = banks.remove("sm3_256");
            assert_eq!(sm3.is_some(), name == "locality", "{name}");
        }
        assert_eq!(ours, theirs, "{name}");
        assert!(!ours.is_empty(), "{name}");
    }
}

#[test]
fn every_event_has_the_register_type_and_digests_that_tpm2_tools_list() {
    let work = machine();
    let (theirs, _) = by_tpm2_tools(&work);
    let digests = |event: &Value| serde_json::from_value(event["digests"].clone()).unwrap();
    let event = |event: &Value| -> Event {
        let kind = event["type"].as_str().unwrap().to_owned();
        (event["pcr"].as_u64().unwrap(), kind, digests(event))
    };
    let shown = shown(&work);
    let ours: Vec<Event> = shown.iter().map(event).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 49);
    for (number, event) in shown.iter().enumerate() {
        assert_eq!(event["number"], number);
        assert_eq!(event["extends"], event["type"] != "EV_NO_ACTION");
    }
}

#[test]
fn events_say_in_words_what_they_are_about() {
    let work = machine();
    let printed = work.done(["eventlog", "show", "machine.log", "--bank", "sha256"]);
    for line in [
        "0: extends nothing, EV_NO_ACTION: header of a log with several banks",
        ": PCR 7, EV_EFI_VARIABLE_DRIVER_CONFIG: variable SecureBoot: on",
        ": PCR 4, EV_SEPARATOR: separator",
        ": PCR 11, EV_IPL: .linux",
        ": PCR 1, EV_EFI_VARIABLE_BOOT: variable BootOrder: 0001, 0000",
        r": PCR 7, EV_EFI_VARIABLE_DRIVER_CONFIG: variable db: certificate CN=db,OU=Touchstone test key\, do not trust",
        ": PCR 5, EV_EFI_GPT_EVENT: partition table of disk 70756f74-7368-4f6e-8e65-000000000001: ESP \"ESP\" 70756f74-7368-4f6e-8e65-000000000002",
    ] {
        assert!(printed.lines().any(|said| said.ends_with(line)), "{line}");
    }
    let digests = printed.lines().filter(|line| line.starts_with("  "));
    let digests: Vec<&str> = digests.collect();
    assert_eq!(digests.len(), 48, "the header has none");
    assert!(digests.iter().all(|line| line.starts_with("  sha256=")));
}

#[test]
fn data_of_every_type_are_put_into_words() {
    let work = with_log("hcrtm");
    let says: Vec<String> = shown(&work)
        .iter()
        .map(|event| event["says"].as_str().unwrap().to_owned())
        .collect();
    let expected = [
        "header of a log with several banks",
        "started from locality 4",
        "HCRTM",
        "an NV index of the TPM (NvIndexInstance), 17 bytes",
        "tables of the firmware: SMBIOS 3",
        "tables of the firmware: SMBIOS 3 \"acpi\"",
        "partition table of disk 00000000-0000-0000-0000-000000000000: ESP \"ESP\" 03020100-0504-0706-0809-0a0b0c0d0e0f",
        "a device's own measurements (SPDM), version 1, 26 bytes",
        "variable Boot0007: net (PciRoot(0x0)/Pci(0x3,0x0)/MAC(000000000000)/Uri(http://x/)), with options: op",
    ];
    assert_eq!(says, expected);
}

#[test]
fn one_bank_alone_is_replayed_when_it_is_asked_for() {
    let work = machine();
    let all = replayed(&work, &[]);
    let one = replayed(&work, &["--bank", "sha384"]);
    let mut printed = String::new();
    let pcrs: &Map<String, Value> = one["pcrs"].as_object().unwrap();
    for (pcr, banks) in pcrs {
        let value = &all["pcrs"][pcr]["sha384"];
        assert_eq!(*banks, json!({ "sha384": value }));
        printed += &format!("{pcr}:sha384={}\n", value.as_str().unwrap());
    }
    assert_eq!(pcrs.len(), all["pcrs"].as_object().unwrap().len());
    let said = work.done(["eventlog", "replay", "machine.log", "--bank", "sha384"]);
    assert_eq!(said.len(), printed.len());
    assert!(printed.lines().all(|line| said.contains(line)));
}

#[test]
fn a_type_without_a_name_and_an_algorithm_that_is_not_computed_are_shown_as_numbers() {
    let work = with_log("tpm-1.2");
    let mut log = work.read("machine.log");
    log[4..8].copy_from_slice(&0xabcd_u32.to_le_bytes());
    work.write("machine.log", log);
    assert_eq!(shown(&work)[0]["type"], "0x0000abcd");

    let work = with_log("locality");
    let events = shown(&work);
    assert_eq!(events[2]["digests"]["0x0012"], "00".repeat(32));
    assert_eq!(events[1]["says"], "started from locality 3");
    let all = replayed(&work, &[]);
    assert_eq!(all["notReplayed"], json!(["0x0012"]));
    assert!(all["pcrs"]["0"].as_object().unwrap().keys().eq(&BANKS[..2]));
}

/// Both commands are refused with these facts.
fn assert_refused(work: &Work, options: &[&str], facts: &[&str]) {
    for command in ["show", "replay"] {
        let output = work.touchstone([&["eventlog", command, "machine.log"], options].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty(), "{command}");
        for fact in ["event log", "file: machine.log", "help: "] {
            assert!(said.contains(fact), "{command}: {fact}: {said}");
        }
        for fact in facts {
            assert!(said.contains(fact), "{command}: {fact}: {said}");
        }
    }
}

#[test]
fn what_is_no_whole_log_is_refused() {
    let work = machine();
    let whole = work.read("machine.log");
    for missing in [1, 100, whole.len() - 10] {
        work.write("machine.log", &whole[..whole.len() - missing]);
        assert_refused(&work, &[], &["[input.event-log]", "truncated"]);
    }
    work.write("machine.log", "");
    assert_refused(&work, &[], &["[input.event-log]", "it is empty"]);
    std::fs::remove_file(work.path("machine.log")).unwrap();
    assert_refused(&work, &[], &["[input.unreadable]"]);
}

#[test]
fn a_bank_that_the_log_does_not_have_is_refused() {
    let facts = ["[input.event-log]", "it has no sha384 digests"];
    assert_refused(&with_log("crypto-agile"), &["--bank", "sha384"], &facts);
    assert_refused(&with_log("tpm-1.2"), &["--bank", "sha384"], &facts);
}
