//! What is made of several predictions: reference documents, judged by Keylime's own code, and comparisons with a pinned file.

mod documents;
mod keylime;
pub mod shorthand;
mod unchanged;

use std::process::Command;

use serde_json::{Value, json};
use touchstone_harness::nix::output;

use crate::support::Work;

/// Without these, systemd-boot does not list a UKI.
const OS_RELEASE: &str = "ID=check\nNAME=Check\nPRETTY_NAME=Check\nVERSION_ID=1\n";

/// The banks of the predictions.
pub const BANKS: [&str; 2] = ["sha1", "sha256"];

/// Kept generations of a machine under Secure Boot, called 1, 2, …: signed UKIs `uki-N.efi` that differ in their command lines, the
/// signed loader `loader.efi`, and the predictions `N.json`.
pub struct Kept {
    pub work: Work,
}

impl Kept {
    /// So many generations, predicted at these phases.
    pub fn new(count: usize, phases: &[&str]) -> Kept {
        let work = Work::with_kernel("amd64");
        work.stub("trixie", "x64", "stub");
        work.keys("keys");
        let loader = &work.inputs.boot["trixie"]["x64"];
        std::fs::copy(loader, work.path("systemd-boot.efi")).unwrap();
        sign(
            &work,
            &["pe", "sign", "systemd-boot.efi", "--output", "loader.efi"],
        );
        let kept = Kept { work };
        kept.probe();
        for number in 1..=count {
            kept.generation(&number.to_string(), phases);
        }
        kept
    }

    /// The probe's initrd as `probe-initrd`.
    fn probe(&self) {
        let work = &self.work;
        let attributes = json!({ "mode": "initrd", "outputs": { "out": work.path("probed") } });
        work.write("attributes.json", attributes.to_string());
        let probe = work.inputs.probe.as_ref();
        let mut command = Command::new(probe.expect("no static binary: run `cargo xtask test`"));
        output({
            command.env("NIX_ATTRS_JSON_FILE", work.path("attributes.json"));
            command
        })
        .unwrap();
        std::fs::copy(work.path("probed/initrd"), work.path("probe-initrd")).unwrap();
    }

    fn generation(&self, name: &str, phases: &[&str]) {
        let uki = format!("uki-{name}.efi");
        let line = format!("console=ttyS0 panic=-1 oops=panic generation={name}");
        let build = [
            "uki",
            "build",
            "--stub",
            "stub",
            "--linux",
            "vmlinuz",
            "--initrd",
            "probe-initrd",
            "--cmdline",
            &line,
            "--os-release",
            OS_RELEASE,
            "--output",
            &uki,
        ];
        sign(&self.work, &build);
        self.predict(name, json!({ "phases": phases }));
    }

    /// Predicts a generation as `NAME.json`; `measure` says what else than all under Secure Boot.
    pub fn predict(&self, name: &str, mut measure: Value) {
        measure["secureBoot"] =
            json!({ "PK": "keys/PK.esl", "KEK": "keys/KEK.esl", "db": "keys/db.esl" });
        measure["banks"] = json!(BANKS);
        let uki = format!("uki-{name}.efi");
        let request = json!({ "loader": "loader.efi", "uki": uki, "measure": measure });
        predict(&self.work, name, &request);
    }

    /// `NAME=FILE` of each generation, as options.
    pub fn options(&self, count: usize) -> Vec<String> {
        let option = |number| ["--generation".to_owned(), format!("{number}={number}.json")];
        (1..=count).flat_map(option).collect()
    }

    /// The first leaf of a generation's prediction.
    pub fn leaf(&self, name: &str) -> Value {
        let prediction = self.work.read(&format!("{name}.json"));
        let prediction: Value = serde_json::from_slice(&prediction).unwrap();
        prediction["leaves"][0].clone()
    }
}

fn sign(work: &Work, command: &[&str]) {
    let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
    work.done([command, &key].concat());
}

/// Writes the prediction `NAME.json`.
fn predict(work: &Work, name: &str, request: &Value) {
    work.write("request.json", request.to_string());
    let answer = work.done(["measure", "predict", "request.json", "--json"]);
    work.write(&format!("{name}.json"), answer);
}

/// Two predictions of PCR 11, `one.json` and `other.json`, their values `values-one.json` and `values-other.json`, and the document
/// `reference.json` of the first. There must be `stub`, `vmlinuz` and `uki.efi`.
pub fn with_documents(work: &Work) {
    work.done([
        "uki",
        "build",
        "--stub",
        "stub",
        "--linux",
        "vmlinuz",
        "--cmdline",
        "quiet",
        "--output",
        "other.efi",
    ]);
    let loader = &work.inputs.boot["trixie"]["x64"];
    for (name, uki) in [("one", "uki.efi"), ("other", "other.efi")] {
        let request = json!({ "loader": loader, "uki": uki, "measure": { "pcrs": [11] } });
        predict(work, name, &request);
        let prediction: Value =
            serde_json::from_slice(&work.read(&format!("{name}.json"))).unwrap();
        let pcrs = &prediction["leaves"][0]["pcrs"];
        // In either form.
        let values = match name {
            "one" => json!({ "pcrs": pcrs }),
            _ => json!({ "11": pcrs["11"]["sha256"] }),
        };
        work.write(&format!("values-{name}.json"), values.to_string());
    }
    work.done([
        "reference",
        "create",
        "--generation",
        "1=one.json",
        "--output",
        "reference.json",
    ]);
}
