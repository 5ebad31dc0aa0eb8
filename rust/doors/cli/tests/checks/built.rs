//! Boot artifacts that real Nix built, as copies that can be damaged.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::real_nix::RealNix;

/// Generation 2 of the checks with its specialisation, as a copy that may be damaged, and what is needed to judge it.
pub struct Built {
    pub nix: RealNix,
    /// The folders of generation 2 and 1 in the store, as the host sees them.
    pub folders: [std::path::PathBuf; 2],
}

/// What brings every variable along.
pub const VERIFY: [&str; 4] = ["--measure", "measure.json", "--db", "keys/db.esl"];

impl Built {
    pub fn new() -> Built {
        let nix = RealNix::new();
        let built = nix.build("store", &["artifacts.generation2", "artifacts.generation1"]);
        let folders = [0, 1].map(|number: usize| nix.store("store").on_host(&built[number]));
        let keys = ["PK", "KEK", "db"].map(|name| (name, format!("keys/{name}.esl")));
        let secure_boot: serde_json::Map<String, Value> = keys
            .map(|(name, file)| (name.to_owned(), file.into()))
            .into_iter()
            .collect();
        let measure = json!({ "withoutBootSecret": true, "secureBoot": secure_boot });
        nix.work.write("measure.json", measure.to_string());
        Built { nix, folders }
    }

    /// Runs the static program where it sees the store.
    pub fn touchstone(&self, arguments: &[&str]) -> Output {
        let mut command = self.nix.touchstone_beside_store();
        command.args(arguments).output().unwrap()
    }

    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.touchstone(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn verdict(&self, folder: &str, more: &[&str]) -> (Option<i32>, Value) {
        let output = self.touchstone(&[&["boot", "verify", "--json", folder], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        let answer = serde_json::from_slice(&output.stdout);
        (
            output.status.code(),
            answer.unwrap_or_else(|error| panic!("{error}: {said}")),
        )
    }

    /// A fresh copy of generation 2 as `damaged`.
    pub fn copy(&self) {
        let target = self.nix.work.path("damaged");
        if target.exists() {
            fs::remove_dir_all(&target).unwrap();
        }
        copy(&self.folders[0], &target);
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        self.nix.work.write(&format!("damaged/{name}"), content);
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        self.nix.work.read(&format!("damaged/{name}"))
    }

    /// Changes the document.
    pub fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let mut document: Value = serde_json::from_slice(&self.read("boot.json")).unwrap();
        edit(&mut document);
        self.write("boot.json", document.to_string());
    }

    /// Lets the document name a file as it is now: whoever changes one can change the other.
    pub fn rename(&self, pointer: &str, name: &str) {
        let path = format!("damaged/{name}");
        let sums = self.nix.work.debian("sha256sum", &[&path]);
        let sum = String::from_utf8(sums.stdout).unwrap()[..64].to_owned();
        let size = self.read(name).len();
        let image = name
            .ends_with(".efi")
            .then(|| self.done(&["pe", "digest", &path]));
        self.edit(|document| {
            let file = document
                .pointer_mut(&format!("/org.touchstone.v1{pointer}"))
                .unwrap();
            file["sha256"] = sum.into();
            file["size"] = size.into();
            if let Some(digest) = image {
                file["authenticodeSha256"] = digest[..64].into();
            }
        });
    }

    /// The generation's UKI with other parts, named as if it had always been so.
    pub fn other_uki(&self, parts: &[&str]) {
        let document: Value = serde_json::from_slice(&self.read("boot.json")).unwrap();
        let core = &document["org.nixos.bootspec.v2"];
        let params = core["kernelParams"].as_array().unwrap().iter();
        let words = [json!(format!("init={}", core["init"].as_str().unwrap()))];
        let line: Vec<&str> = words
            .iter()
            .chain(params)
            .map(|word| word.as_str().unwrap())
            .collect();
        let line = line.join(" ");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (linux, initrd) = (text(&core["kernel"]), text(&core["initrds"][0]));
        let mut own = vec!["--linux", &linux, "--initrd", &initrd, "--cmdline", &line];
        for pair in parts.chunks(2) {
            let at = own.iter().position(|word| *word == pair[0]).unwrap();
            own[at + 1] = pair[1];
        }
        let first = [
            "uki",
            "build",
            "--stub",
            "stub",
            "--output",
            "damaged/uki.efi",
            "--os-release",
            crate::checks::OS_RELEASE,
        ];
        let sign = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
        fs::remove_file(self.nix.work.path("damaged/uki.efi")).unwrap();
        self.done(&[&first, own.as_slice(), &sign].concat());
        self.rename("/uki", "uki.efi");
    }

    /// The rules that the copy breaks, each with its file.
    pub fn broken(&self, more: &[&str]) -> Vec<(String, String)> {
        let (status, verdict) = self.verdict("damaged", more);
        let findings = verdict["findings"].as_array().unwrap();
        assert_eq!(
            status,
            Some(if findings.is_empty() { 0 } else { 3 }),
            "{verdict}"
        );
        assert_eq!(verdict["verified"], findings.is_empty());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        findings
            .iter()
            .map(|one| (text(&one["file"]), text(&one["rule"])))
            .collect()
    }

    pub fn assert_broken(&self, what: &str, expected: &[(&str, &str)]) {
        let found = self.broken(&VERIFY);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(file, rule)| (file.as_str(), rule.as_str()))
            .collect();
        assert_eq!(found, expected, "{what}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (source, target) = (
            entry.as_ref().unwrap().path(),
            to.join(entry.unwrap().file_name()),
        );
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::write(&target, fs::read(&source).unwrap()).unwrap();
        }
    }
}
