//! A folder with an image's parts and keys, and requests on them.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Agent, Context, Error, HostFiles};
use touchstone_harness::{Inputs, inputs};
use touchstone_sign::keys::{KeyAlgorithm, KeyRequest, NewKey, generate};
use touchstone_store::SecretKey;

/// A key for images and for values of PCR 11, and another one. They bear no mark of test keys.
pub static KEYS: LazyLock<[NewKey; 2]> = LazyLock::new(|| [new_key("db"), new_key("another")]);

fn new_key(common_name: &str) -> NewKey {
    let request = KeyRequest {
        common_name,
        algorithm: KeyAlgorithm::Rsa2048,
        not_before: 0,
        not_after: 4_000_000_000,
        test: false,
    };
    generate(&request).unwrap()
}

/// A Nix key.
pub fn nix_key() -> SecretKey {
    SecretKey::from_seed("fleet-1", &[7; 32].into()).unwrap()
}

pub const TOPLEVEL: &str = "/nix/store/11111111111111111111111111111111-system";

/// A folder in which a test works.
pub struct Work {
    pub inputs: Inputs,
    folder: TempDir,
}

impl Work {
    /// With the keys, the stub, a kernel and an initrd.
    pub fn new() -> Work {
        let work = Work {
            inputs: inputs(),
            folder: tempfile::tempdir().unwrap(),
        };
        let [db, _] = &*KEYS;
        work.write("db.key", db.key_pem.as_bytes());
        work.write("db.pem", db.certificate_pem.as_bytes());
        work.write("nix.secret", nix_key().expose_text().as_bytes());
        work.write("initrd", [b"initrd".as_slice(), &[1; 300_001]].concat());
        work
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Who signs images: the file, or an agent.
    pub fn signing(&self, key: &str) -> Value {
        json!({ "key": self.named(key), "certificate": self.path("db.pem") })
    }

    /// The key's name in a request.
    pub fn named(&self, key: &str) -> String {
        match key.starts_with("agent:") {
            true => key.to_owned(),
            false => self.path(key).display().to_string(),
        }
    }

    /// `pe.sign` of the boot loader.
    pub fn sign_pe(&self, key: &str, output: &str) -> Value {
        json!({ "file": self.inputs.boot["trixie"]["x64"], "sign": self.signing(key), "output": self.path(output) })
    }

    /// `uki.assemble` with signatures of PCR 11.
    pub fn assemble(&self, key: &str, output: &str) -> Value {
        json!({
            "stub": self.inputs.stub["trixie"]["x64"],
            "linux": self.inputs.kernel["amd64"].vmlinuz,
            "initrds": [self.path("initrd")],
            "cmdline": "quiet",
            "osRelease": "ID=check\n",
            "sign": self.signing(key),
            "pcrSign": { "banks": ["sha256", "sha384"], "keys": [{ "key": self.named(key), "phases": ["enter-initrd"] }] },
            "measure": { "phases": ["enter-initrd"] },
            "output": self.path(output),
        })
    }

    /// A manifest for a class of machines, not signed.
    pub fn manifest(&self) {
        let create = json!({ "toplevel": TOPLEVEL, "class": "lab", "output": self.path("manifest"), "closure": [{ "path": TOPLEVEL,
            "narHash": "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", "narSize": 120, "references": [] }] });
        let create: touchstone_artifacts::manifest::CreateManifest = request(create);
        create.run(&context(None)).unwrap();
    }

    /// `manifest.sign` of it.
    pub fn sign_manifest(&self, key: &str, output: &str) -> Value {
        json!({ "manifest": self.path("manifest"), "key": self.named(key), "output": self.path(output) })
    }
}

/// A request of this text.
pub fn request<T: DeserializeOwned>(fields: Value) -> T {
    serde_json::from_value(fields).unwrap()
}

/// What a person's operation is lent.
pub fn context(agent: Option<&dyn Agent>) -> Context<'_> {
    Context {
        files: &HostFiles,
        progress: &Silent,
        keys: KeyPolicy::Any,
        agent,
        now: Some(1_800_000_000),
    }
}

/// What a build is lent.
pub fn in_a_build(agent: Option<&dyn Agent>) -> Context<'_> {
    Context {
        keys: KeyPolicy::TestKeysOnly,
        now: None,
        ..context(agent)
    }
}

/// The code of a failure, and what it says.
pub fn said<T>(result: Result<T, Error>) -> (&'static str, String) {
    let error = result.err().unwrap();
    (error.code(), format!("{error}; {}", error.help()))
}
