//! A world with systemd's real programs, and a key that signs on the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use touchstone_artifacts::keys::GenerateKeys;
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::verify::VerifyPe;
use touchstone_artifacts::{Context, HostFiles};
use touchstone_harness::inputs::inputs;

use crate::world::World;

/// What operations are lent in tests.
pub const CONTEXT: Context<'static> = Context {
    files: &HostFiles,
    progress: &Silent,
    keys: KeyPolicy::Any,
    agent: None,
    now: None,
};

impl World {
    /// A world whose generations become signed images, under the systemd-boot of this suite.
    pub fn signing(suite: &str) -> Self {
        let mut world = Self::new();
        for name in ["db.key", "db.pem"] {
            let content = fs::read(keys().join(name)).unwrap();
            world.write(&format!("/etc/keys/{name}"), content);
        }
        world.settings["images"] = json!("uki");
        world.settings["stub"] = json!(world.program_of("stub", "trixie"));
        world.settings["loader"] = json!({ "image": world.program_of("loader", suite) });
        world.settings["signing"] = json!({
            "key": "/etc/keys/db.key",
            "certificate": "/etc/keys/db.pem",
            "pinSource": null,
        });
        // The smallest image that is a kernel to all who do not start it.
        world.kernel = Some(fs::read(&inputs().boot["trixie"]["x64"]).unwrap());
        world
    }

    /// A program of systemd's, in the store.
    pub fn program_of(&self, what: &str, suite: &str) -> String {
        let inputs = inputs();
        let file = match what {
            "stub" => &inputs.stub[suite]["x64"],
            _ => &inputs.boot[suite]["x64"],
        };
        self.store(&format!("{what}-{suite}.efi"), fs::read(file).unwrap())
    }

    /// Gives a sealed generation a program for the firmware.
    pub fn name_program(&self, sealed: &str, role: &str, content: &[u8]) {
        let file = self.at(&format!("{sealed}/boot.json"));
        let mut document: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        let path = format!("touchstone/{role}.efi");
        self.write(&format!("{sealed}/{path}"), content);
        let digest = touchstone_install::install::known::hex_of(content);
        document["org.touchstone.v1"][role] = json!({
            "path": path,
            "sha256": digest,
            "size": content.len(),
            "authenticodeSha256": digest,
        });
        fs::write(file, document.to_string()).unwrap();
    }

    /// Lets the firmware start what this list admits, and nothing else.
    pub fn enforce(&self, db: &Path) {
        let global = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
        let security = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
        self.raw_variable(&format!("SecureBoot-{global}"), &[1]);
        self.raw_variable(&format!("SetupMode-{global}"), &[0]);
        self.raw_variable(&format!("db-{security}"), &fs::read(db).unwrap());
    }

    /// Says that shim, with this list of its own, started the boot loader.
    pub fn started_by_shim(&self, list: &Path) {
        let shim = "605dab50-e046-4300-abb6-3dd810dd8b23";
        self.raw_variable(&format!("MokListRT-{shim}"), &fs::read(list).unwrap());
    }

    fn raw_variable(&self, name: &str, value: &[u8]) {
        let content = [&[7, 0, 0, 0], value].concat();
        self.write(&format!("/sys/firmware/efi/efivars/{name}"), content);
    }

    /// A file of the partition.
    pub fn on_boot(&self, path: &str) -> PathBuf {
        self.at("/boot").join(path)
    }
}

/// Test keys, made once.
pub fn keys() -> &'static Path {
    static KEYS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = KEYS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        for name in ["keys", "others"] {
            let output = folder.path().join(name);
            let request: GenerateKeys =
                serde_json::from_value(json!({ "output": output, "test": true })).unwrap();
            request.run(&CONTEXT).unwrap();
        }
        folder
    });
    Box::leak(folder.path().join("keys").into_boxed_path())
}

/// Whether firmware that knows the test keys would start an image.
pub fn boots(image: &Path) -> bool {
    let request = VerifyPe {
        file: image.to_owned(),
        certificates: vec![keys().join("db.pem")],
        ..VerifyPe::default()
    };
    request.run(&CONTEXT).unwrap().boots
}

/// What the program says of a plan: the paths that are written on the first partition.
pub fn written(report: &Value) -> Vec<String> {
    let files = report["volumes"][0]["written"].as_array().unwrap();
    let path = |file: &Value| file["path"].as_str().unwrap().to_owned();
    files.iter().map(path).collect()
}
