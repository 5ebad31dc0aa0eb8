//! A store with systems and derivations, and judges over it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_agent::judge::{Client, Grants, Judge};
use touchstone_agent::policy::Policy;
use touchstone_agent::protocol::{KeyName, Refusal};
use touchstone_agent::{Derivation, Identity};
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::package;
use touchstone_harness::{Inputs, Nix, inputs};

/// The time of all tests.
pub static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

pub struct World {
    pub inputs: Inputs,
    folder: TempDir,
    nix: Nix,
    package: PathBuf,
}

impl World {
    pub fn new() -> World {
        let inputs = inputs();
        let folder = tempfile::tempdir().unwrap();
        let package = package(folder.path(), inputs.probe.as_ref().unwrap()).unwrap();
        fs::copy(
            &inputs.kernel["amd64"].vmlinuz,
            folder.path().join("vmlinuz"),
        )
        .unwrap();
        let kernel = fs::read(&inputs.kernel["amd64"].vmlinuz).unwrap();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&kernel).unwrap();
        fs::write(folder.path().join("vmlinuz.gz"), packed.finish().unwrap()).unwrap();
        fs::copy(&inputs.stub["trixie"]["x64"], folder.path().join("stub")).unwrap();
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge");
        fs::copy(tests.join("world.nix"), folder.path().join("world.nix")).unwrap();
        let nix = Nix::new(&inputs, folder.path().join("root")).unwrap();
        let nix = nix.bind(folder.path());
        World {
            inputs,
            folder,
            nix,
            package,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a store path is, seen from the test.
    pub fn on_host(&self, path: &str) -> PathBuf {
        self.nix.on_host(path)
    }

    /// What a program of Nix prints.
    pub fn run(&self, program: &str, words: &[&str]) -> String {
        let mut command = self.nix.command(program).unwrap();
        output({
            command.args(words);
            command
        })
        .unwrap()
        .trim()
        .to_owned()
    }

    fn expression(&self) -> Vec<String> {
        let arguments = [
            ("probe", self.package.display().to_string()),
            ("kernel", self.path("vmlinuz").display().to_string()),
        ];
        let mut words = vec![self.path("world.nix").display().to_string()];
        for (name, value) in arguments {
            words.extend(["--arg".to_owned(), name.to_owned(), value]);
        }
        words
    }

    /// Builds an attribute; the answer is its store path.
    pub fn build(&self, attribute: &str) -> String {
        let mut words = self.expression();
        words.extend(["-A".to_owned(), attribute.to_owned()]);
        self.nix.build(words).unwrap().remove(0)
    }

    /// The derivation of an attribute of `asking`, which is not built.
    pub fn asking(&self, attribute: &str) -> Derivation {
        let mut words = self.expression();
        words.extend(["-A".to_owned(), format!("asking.{attribute}")]);
        self.instantiate(&words)
    }

    /// The derivation that asks for a path of the store.
    pub fn asking_for(&self, path: &str) -> Derivation {
        let expression = format!(
            "(import {} {{ probe = {}; kernel = {}; }}).asking.added \"{path}\"",
            self.path("world.nix").display(),
            self.package.display(),
            self.path("vmlinuz").display()
        );
        self.instantiate(&["-E".to_owned(), expression])
    }

    fn instantiate(&self, words: &[String]) -> Derivation {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        words.extend(["--option", "extra-experimental-features", "ca-derivations"]);
        let printed = self.run("nix-instantiate", &words);
        Derivation::parse(printed.lines().last().unwrap()).unwrap()
    }

    /// Adds a folder or file to the store, as anybody may.
    pub fn add(&self, name: &str) -> String {
        self.run("nix-store", &["--add", self.path(name).to_str().unwrap()])
    }

    /// A key with which paths are signed; the answer is its public half.
    pub fn cache_key(&self, name: &str) -> String {
        let [secret, public] =
            ["secret", "public"].map(|kind| self.path(&format!("{name}.{kind}")));
        let words = [
            "--generate-binary-cache-key",
            name,
            secret.to_str().unwrap(),
            public.to_str().unwrap(),
        ];
        self.run("nix-store", &words);
        fs::read_to_string(public).unwrap().trim().to_owned()
    }

    /// Signs paths and all that they refer to.
    pub fn sign(&self, key: &str, paths: &[&str]) {
        let file = self.path(&format!("{key}.secret")).display().to_string();
        let mut words = vec!["store", "sign", "--recursive", "--key-file", &file];
        words.extend(paths);
        self.run("nix", &words);
    }

    /// A policy in which everything is as it should be, but for these changes (JSON pointers).
    pub fn policy(&self, changes: &[(&str, Value)]) -> Policy {
        let mut document = json!({
            "version": 1,
            "store": self.path("root"),
            "log": { "checkpointKey": "/var/lib/keys/log" },
            "keys": {
                "db": { "kind": "image", "key": "/var/lib/keys/db", "certificate": "/etc/db.pem" },
                "nix": { "kind": "nix", "key": "/var/lib/keys/nix" }
            },
            "images": {
                "system": { "uki": {
                    "stub": { "files": [self.path("stub")] },
                    "toplevel": { "builtHere": true },
                    "kernel": { "ofToplevel": { "builtHere": true, "names": ["linux-*"] } },
                    "initrd": { "ofToplevel": { "builtHere": true, "names": ["initrd-linux-*"] } },
                    "cmdline": { "allowed": ["loglevel=*"] },
                } }
            },
            "rules": [ {
                "name": "web",
                "derivations": { "names": ["web-*-boot"], "requesters": ["deploy"] },
                "operations": [
                    { "authenticode": { "key": "db", "image": "system" } },
                    { "manifest": { "key": "nix", "origin": { "builtHere": true } } }
                ]
            } ]
        });
        for (place, value) in changes {
            let (parent, field) = place.rsplit_once('/').unwrap();
            match document
                .pointer_mut(parent)
                .unwrap_or_else(|| panic!("{place}"))
            {
                Value::Object(object) => drop(object.insert(field.to_owned(), value.clone())),
                Value::Array(list) if field == "-" => list.push(value.clone()),
                Value::Array(list) => list[field.parse::<usize>().unwrap()] = value.clone(),
                _ => panic!("{place}"),
            }
        }
        Policy::read(Path::new("policy.json"), document.to_string().as_bytes()).unwrap()
    }

    pub fn judge(&self, changes: &[(&str, Value)]) -> Judge {
        Judge::new(self.policy(changes)).unwrap()
    }

    /// The build of a derivation that `deploy` has granted.
    pub fn client(&self, judge: &Judge, derivation: &Derivation) -> Client {
        let mut grants = Grants::default();
        grants.grant(
            derivation,
            &deploy(),
            *NOW,
            &judge.policy().document().grants,
        );
        Client::Build(judge.offer(derivation, &grants, *NOW).unwrap())
    }
}

pub fn user(uid: u32, name: &str) -> Identity {
    Identity::User {
        uid,
        gid: uid,
        name: Some(name.to_owned()),
    }
}

pub fn deploy() -> Identity {
    user(1000, "deploy")
}

pub fn key(name: &str) -> KeyName {
    KeyName::parse(name).unwrap()
}

/// A refusal of this code that says this.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Refusal>, code: &str, said: &str) {
    let refusal = answer.unwrap_err();
    assert!(
        refusal.code == code && refusal.what.contains(said) && !refusal.help.is_empty(),
        "wanted {code} with {said:?}, got {refusal:#?}"
    );
}
