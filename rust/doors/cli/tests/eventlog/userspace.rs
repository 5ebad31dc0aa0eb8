//! The log of what systemd measures, as systemd-pcrextend writes it, beside the TPM that it extended.

use std::process::Output;

use serde_json::{Value, json};
use touchstone_harness::enter::Root;

use super::{Values, with_log};
use crate::support::{Work, event_log};

/// Extends the PCRs of a swtpm with what the log of its folder says, prints them before and after what systemd extends.
const PREPARE: &str = r#"
swtpm socket --tpm2 --daemon --tpmstate dir="$PWD" --flags not-need-init,startup-clear --server type=unixio,path="$PWD/tpm" \
  --ctrl type=unixio,path="$PWD/tpm.ctrl" --pid file="$PWD/pid"
export TPM2TOOLS_TCTI=swtpm:path=$PWD/tpm
while read -r extension; do tpm2_pcrextend "$extension"; done < extensions
touch ready
for _ in {1..600}; do [ -e done ] && break; sleep 0.1; done
tpm2_pcrread sha1:all+sha256:all+sha384:all+sha512:all > pcrs
"#;

/// What systemd measures: four phases, a file system, the machine's identity, a word into one bank alone.
const MEASURE: &str = r#"
extend() { /usr/lib/systemd/systemd-pcrextend --tpm2-device=swtpm:path="$PWD/tpm" "$@"; }
export SYSTEMD_MEASURE_LOG_USERSPACE=$PWD/userspace.log SYSTEMD_FORCE_MEASURE=1
for phase in enter-initrd leave-initrd sysinit ready; do extend --pcr=11 "$phase"; done
extend --file-system=/
extend --machine-id
extend --pcr=15 --bank=sha256 word
"#;

/// A folder with systemd's log, `userspace.log`, the firmware's, and what a TPM holds that was extended with both, `pcrs`.
fn measured(by: &Root, more: &str) -> Work {
    let work = with_log("ovmf-2025.02");
    work.write("extensions", extensions(&work));
    std::fs::create_dir(work.path("etc")).unwrap();
    work.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let inside = |root: &Root, script: &str| {
        let visit = work.inside(root.visit()).bind_at(work.path("etc"), "/etc");
        let mut command = visit.command("bash").unwrap();
        command.args(["-euc", script]);
        command
    };
    let mut tpm = inside(&work.inputs.trixie(), PREPARE).spawn().unwrap();
    let ready = work.path("ready");
    while !ready.exists() {
        assert!(tpm.try_wait().unwrap().is_none(), "the TPM ended early");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let Output { status, stderr, .. } = inside(by, &format!("{MEASURE}{more}")).output().unwrap();
    work.write("done", "");
    assert!(tpm.wait().unwrap().success());
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    work
}

/// The digests of the firmware's log for tpm2_pcrextend.
fn extensions(work: &Work) -> String {
    let shown = work.json(["eventlog", "show", "--json", "machine.log"]);
    let events = shown["events"].as_array().unwrap();
    let extending = events.iter().filter(|event| event["extends"] == true);
    let line = |event: &Value| {
        let digests = event["digests"].as_object().unwrap().iter();
        let digests: Vec<String> = digests
            .map(|(bank, digest)| format!("{bank}={}", digest.as_str().unwrap()))
            .collect();
        format!("{}:{}\n", event["pcr"], digests.join(","))
    };
    extending.map(line).collect()
}

/// What tpm2_pcrread printed, of these registers.
fn held(work: &Work, pcrs: &[&str]) -> Values {
    let (mut values, mut bank) = (Values::new(), String::new());
    for line in String::from_utf8(work.read("pcrs")).unwrap().lines() {
        let (word, value) = line.split_once(':').unwrap();
        match value.trim().strip_prefix("0x") {
            None => bank = word.trim().to_owned(),
            Some(value) if pcrs.contains(&word.trim()) => {
                let banks = values.entry(word.trim().to_owned()).or_default();
                banks.insert(bank.clone(), value.to_lowercase());
            }
            Some(_) => (),
        }
    }
    values
}

/// systemd of this root measures that, and this in addition, which the last records say in these words.
fn assert_measured_by(root: &Root, more: &str, words: &[&str]) {
    let work = measured(root, more);
    let log = ["--userspace", "userspace.log"];
    let both = [&["eventlog", "replay", "--json", "machine.log"], &log[..]].concat();
    let together: Values = serde_json::from_value(work.json(both)["pcrs"].take()).unwrap();
    let registers: Vec<&str> = together.keys().map(String::as_str).collect();
    assert!(registers.contains(&"7") && registers.contains(&"15"));
    assert_eq!(together, held(&work, &registers));

    // Alone, it begins at zero: right for PCR 15, which firmware leaves alone.
    let alone = [&["eventlog", "replay", "--json"], &log[..]].concat();
    let alone: Values = serde_json::from_value(work.json(alone)["pcrs"].take()).unwrap();
    assert!(alone.contains_key("11") && alone.contains_key("15"));
    assert_eq!(alone["15"], together["15"]);
    assert_ne!(alone["11"], together["11"]);
    assert_ne!(alone["15"]["sha256"], alone["15"]["sha1"]);

    let shown = work.json([&["eventlog", "show", "--json"], &log[..]].concat());
    let records = shown["userspace"].as_array().unwrap();
    let says: Vec<&str> = records
        .iter()
        .map(|record| record["says"].as_str().unwrap())
        .collect();
    assert_eq!(
        says[..4],
        ["enter-initrd", "leave-initrd", "sysinit", "ready"]
            .map(|phase| format!("the boot phase {phase}"))
    );
    assert!(says[4].starts_with("the file system /:"), "{says:?}");
    let banks = |record: &Value| {
        record["digests"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(banks(&records[0]), super::BANKS);
    assert_eq!(says[5], "the machine ID 0123456789abcdef0123456789abcdef");
    assert_eq!(banks(&records[6]), ["sha256"]);
    assert_eq!(says[7..], *words);
    assert!(
        records
            .iter()
            .all(|record| record.get("contradictions").is_none())
    );
}

#[test]
fn what_systemd_257_measures_adds_up_to_what_the_tpm_holds() {
    assert_measured_by(&Work::new().inputs.trixie(), "", &[]);
}

#[test]
fn what_systemd_262_measures_adds_up_to_what_the_tpm_holds() {
    let sid = Work::new().inputs.sid();
    let sid = sid.expect("the rolling release's root is needed here");
    let lines = "extend --pcr=4 --pcr=12 --event-type=os-separator os-separator
extend --pcr=9 --event-type=nvpcr-separator nvpcr-separator
";
    let words = ["os-separator", "os-separator", "nvpcr-separator"];
    assert_measured_by(
        &sid,
        lines,
        &words
            .map(|word| format!("systemd's line {word}"))
            .each_ref()
            .map(String::as_str),
    );
}

/// A record of a boot phase as systemd writes it, in the SHA-256 bank.
pub fn phase(pcr: u32, word: &str) -> String {
    let digest = match word {
        "enter-initrd" => "51e6b92f405d1f98d96e3de343d61d420ad6923b25de21d766f9298192f14fed",
        "leave-initrd" => "3be261aff7db92bf507eae947f4003ffa2bcad0bffe3524601d62d0bc8be7135",
        _ => panic!("the digest of {word} is not noted here"),
    };
    let record = json!({
        "pcr": pcr,
        "digests": [{ "hashAlg": "sha256", "digest": digest }],
        "content_type": "systemd",
        "content": { "string": word, "bootId": "00", "timestamp": 1, "eventType": "phase" },
    });
    format!("\u{1e}{record}\n")
}

#[test]
fn a_log_of_systemd_that_lies_is_refused() {
    let work = Work::new();
    std::fs::copy(event_log("ovmf-2025.02"), work.path("machine.log")).unwrap();
    let whole = phase(11, "enter-initrd");
    for (log, says) in [
        (String::new(), "it is empty"),
        (
            whole[1..].to_owned(),
            "does not begin with a record separator",
        ),
        (whole.trim_end().to_owned(), "record 0 has no line feed"),
        (phase(24, "enter-initrd"), "record 0 extends PCR 24"),
        (phase(17, "enter-initrd"), "dynamic launch"),
        (
            whole.replace("\"pcr\":11,", ""),
            "does not say what was extended",
        ),
        (
            [whole.clone(), whole.replace("\"00\"", "\"01\"")].concat(),
            "record 1 is of another boot",
        ),
        (
            whole.replace("sha256", "sha1"),
            "record 0 has a sha1 digest that is none",
        ),
    ] {
        work.write("userspace.log", log);
        for command in ["show", "replay"] {
            let words = [
                "eventlog",
                command,
                "machine.log",
                "--userspace",
                "userspace.log",
            ];
            let output = work.touchstone(words);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{said}");
            for fact in ["[input.event-log]", "file: userspace.log", says] {
                assert!(said.contains(fact), "{fact}: {said}");
            }
        }
    }
}

#[test]
fn a_text_that_was_not_measured_is_found() {
    let work = Work::new();
    work.write(
        "userspace.log",
        phase(11, "enter-initrd").replace("enter-initrd", "ready"),
    );
    let log = ["--userspace", "userspace.log", "--json"];
    let shown = work.json([&["eventlog", "show"], &log[..]].concat());
    let found = json!(["its sha256 digest is not that of its text"]);
    assert_eq!(shown["userspace"][0]["contradictions"], found);
    let replayed = work.json([&["eventlog", "replay"], &log[..]].concat());
    let found = json!(["record 0 of systemd's log: its sha256 digest is not that of its text"]);
    assert_eq!(replayed["contradictions"], found);
}

#[test]
fn one_log_at_least_must_be_named() {
    let work = Work::new();
    assert_eq!(work.touchstone(["eventlog", "show"]).status.code(), Some(2));
    work.write("request.json", r#"{"operation":"eventlog.replay"}"#);
    let output = work.touchstone(["run", "request.json"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("it names no log") && said.contains("[request.refused]"),
        "{said}"
    );
}
