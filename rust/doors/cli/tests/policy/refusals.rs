//! Which policies are not made, and what is said then.

use serde_json::{Value, json};

use super::{RSA_2048, extended, key_pair, sha256};
use crate::support::{Work, event_log};

/// A digest of SHA-256, made of one byte.
fn digest(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// A prediction of one outcome, whose registers hold this byte.
fn prediction(byte: u8, pcrs: &[u32]) -> Value {
    let pcrs: serde_json::Map<String, Value> = pcrs
        .iter()
        .map(|pcr| (pcr.to_string(), json!({ "sha256": digest(byte) })))
        .collect();
    json!({ "leaves": [{ "path": [], "pcrs": pcrs, "measurements": [] }], "assumptions": [] })
}

fn with_predictions() -> Work {
    let work = Work::new();
    for byte in 1..=3 {
        let all = prediction(byte, &[4, 7, 11, 12, 13]);
        work.write(&format!("gen-{byte}.json"), all.to_string());
    }
    work.write("few.json", prediction(1, &[7, 11]).to_string());
    work.write(
        "none.json",
        json!({ "leaves": [], "assumptions": [] }).to_string(),
    );
    work
}

fn refused(work: &Work, words: &str) -> String {
    let words = format!("policy {words} --output made");
    let output = work.touchstone(words.split_whitespace());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{words}: {said}");
    assert!(!work.path("made").exists());
    said
}

#[test]
fn a_policy_that_would_protect_nothing_or_lock_out_is_refused_with_the_reason() {
    let work = with_predictions();
    for (words, facts) in [
        (
            "create gen-1.json",
            [
                "nothing says which outcome is the machine as it runs",
                "withoutRunning",
            ],
        ),
        (
            "create gen-1.json --running gen-1 --pcrs 11",
            ["PCR 11 alone", "Secure Boot off"],
        ),
        (
            "create gen-1.json --running gen-1 --pcrs 7,23",
            ["PCR 23", "anybody may reset it"],
        ),
        (
            "create gen-1.json --running gen-1 --bank sha1",
            ["SHA-1 bank", "sha256"],
        ),
        (
            "create gen-1.json --running gen-1 --hash sha1",
            ["never of SHA-1", "another hash"],
        ),
        (
            "create gen-1.json --running gen-2",
            ["running generation `gen-2`", "`gen-1`"],
        ),
        (
            "create gen-1.json --running gen-1 --next gen-9",
            ["next generation `gen-9`", "`gen-1`"],
        ),
        (
            "create gen-1.json --running gen-1 --kept gen-8",
            ["kept generation `gen-8`", "`gen-1`"],
        ),
        (
            "create few.json --running few",
            ["has no PCR 12 in the bank sha256", "predict it"],
        ),
        (
            "create gen-1.json --running gen-1 --bank sha384",
            ["has no PCR 7 in the bank sha384", "predict it"],
        ),
        (
            "create none.json --without-running",
            ["`none` has no outcome", "predict anew"],
        ),
        (
            "create a=gen-1.json a=gen-2.json --without-running",
            ["two outcomes are called `a`", "a name of its own"],
        ),
    ] {
        let said = refused(&work, words);
        for fact in facts {
            assert!(said.contains(fact), "{words}: {said}");
        }
        assert!(said.contains("[policy.refused]"), "{words}: {said}");
    }
}

#[test]
fn a_machine_that_runs_something_else_is_told_what_differs() {
    let work = with_predictions();
    let values = json!({ "7": digest(2), "11": digest(2), "12": digest(9), "13": digest(2) });
    work.write("values", values.to_string());
    let create = "create gen-1.json gen-2.json gen-3.json --running-values values";
    let said = refused(&work, create);
    let difference = format!(
        "The nearest is `gen-2`: PCR 12 holds {}, predicted was {}",
        digest(9),
        digest(2)
    );
    assert!(said.contains(&difference), "{said}");
    assert!(!said.contains("PCR 7"), "{said}");

    // The same machine, without the register that differs: in both forms of the file.
    let replayed = json!({ "pcrs": { "7": { "sha256": digest(2) }, "11": { "sha256": digest(2) }, "13": { "sha256": digest(2) } } });
    work.write("replayed", replayed.to_string());
    for file in ["values", "replayed"] {
        let create = format!(
            "policy create gen-1.json gen-2.json --pcrs 7,11,13 --running-values {file} --json"
        );
        let policy = work.json(create.split(' '));
        assert_eq!(policy["running"], json!(["gen-2"]), "{file}");
    }
    work.done("policy create gen-1.json gen-2.json --running gen-2 --output made".split(' '));
    let show = work.touchstone(["policy", "show", "made", "--values", "values"]);
    assert_eq!(show.status.code(), Some(3));
}

#[test]
fn a_policy_without_the_running_generation_says_so() {
    let work = with_predictions();
    work.done("policy create gen-1.json --without-running --output made".split(' '));
    let said = work.done(["policy", "show", "made"]);
    assert!(
        said.contains("made without the running generation"),
        "{said}"
    );
    let both = "policy create gen-1.json --without-running --running gen-1";
    assert_eq!(work.touchstone(both.split(' ')).status.code(), Some(2));
}

/// The phases that a leaf counts in are not in the log of the firmware, and are others while the machine runs.
#[test]
fn a_running_machine_is_known_by_its_log_and_at_any_phase() {
    let work = Work::new();
    let log = event_log("ovmf-2025.02");
    let replay = ["eventlog", "replay", "--json", log.to_str().unwrap()];
    let values = work.json(replay);
    let [seven, before] = ["7", "11"].map(|pcr| text(&values["pcrs"][pcr]["sha256"]));
    let word = sha256(&work, b"enter-initrd");
    let after = extended(&work, &before, &word);
    let shown = work.json(["eventlog", "show", "--json", log.to_str().unwrap()]);
    let events = shown["events"].as_array().unwrap().iter();
    let measured =
        |kind: &str, digest: &str| json!({ "pcr": 11, "digest": digest, "kind": kind, "why": "" });
    let mut measurements: Vec<Value> = events
        .filter(|event| event["pcr"] == 11 && event["extends"] == true)
        .map(|event| measured("sectionContent", &text(&event["digests"]["sha256"])))
        .collect();
    assert!(measurements.len() > 8);
    measurements.push(measured("phase", &word));
    let pcrs = json!({ "7": { "sha256": seven }, "11": { "sha256": after } });
    let leaf = json!({ "path": [], "pcrs": pcrs, "measurements": measurements });
    let prediction = json!({ "leaves": [leaf], "assumptions": [] });
    work.write("machine.json", prediction.to_string());
    let create = "policy create --json machine.json --pcrs 7,11";

    // As the registers are when the machine is up: two phases later.
    let leave = extended(&work, &after, &sha256(&work, b"leave-initrd"));
    work.write("now", json!({ "7": seven, "11": leave }).to_string());
    let phase = "enter-initrd:leave-initrd";
    let words = format!("{create} --running-values now --running-phase {phase}");
    assert_eq!(work.json(words.split(' '))["running"], json!(["machine"]));
    let words = format!("{create} --running-values now");
    assert_eq!(work.touchstone(words.split(' ')).status.code(), Some(1));

    // As its firmware left them.
    let words = format!("{create} --running-log {}", log.display());
    assert_eq!(work.json(words.split(' '))["running"], json!(["machine"]));
    let locality = event_log("locality");
    let words = format!("{create} --running-log {}", locality.display());
    let output = work.touchstone(words.split(' '));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("predicted was {before}")), "{said}");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn a_changed_policy_is_neither_shown_nor_signed() {
    let work = with_predictions();
    work.done(
        "policy create gen-1.json gen-2.json --running gen-1 --output policy.json".split(' '),
    );
    let mut policy: Value = serde_json::from_slice(&work.read("policy.json")).unwrap();
    policy["branches"][0]["values"]["7"] = json!(digest(8));
    work.write("policy.json", policy.to_string());
    key_pair(&work, "pcr", RSA_2048);
    for words in [
        "policy show policy.json",
        "policy sign --policy policy.json --key pcr.key",
    ] {
        let output = work.touchstone(words.split(' '));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(said.contains("contradicts itself"), "{said}");
    }
}
