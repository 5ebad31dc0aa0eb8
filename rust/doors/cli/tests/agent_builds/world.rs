//! A machine of the tests: a nix-daemon with build users and the pre-build hook, a signing agent beside it, and real keys that no build is
//! shown.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use touchstone_harness::NixDaemon;
use touchstone_harness::agent::{AgentMachine, ServingAgent};
use touchstone_harness::nix::output;

use crate::sign_files::openssl;
use crate::support::{TOUCHSTONE, Work};

/// A machine.
pub struct World {
    pub work: Work,
    pub machine: AgentMachine,
    checkout: PathBuf,
}

impl World {
    /// With the agent's keys `keys/db` (RSA, with a certificate), `keys/pcr`, `keys/nix` and `keys/checkpoint`, a builder's, `keys/builder`, and no policy yet.
    pub fn new() -> World {
        let work = Work::with_kernel("amd64");
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let checkout = checkout.canonicalize().unwrap();
        work.stub("trixie", "x64", "stub");
        fs::copy(&work.inputs.boot["trixie"]["x64"], work.path("loader")).unwrap();
        for folder in ["keys", "evidence", "exports"] {
            fs::create_dir(work.path(folder)).unwrap();
        }
        let program = Path::new(TOUCHSTONE);
        let machine = AgentMachine::start(&work.inputs, work.folder(), program, &checkout);
        let world = World {
            machine: machine.unwrap(),
            work,
            checkout,
        };
        world.make_keys();
        world
    }

    /// Real keys: nothing of them says that they are tests', so that a build would refuse to open them itself.
    fn make_keys(&self) {
        for name in ["db", "pcr"] {
            openssl(
                &self.work,
                &format!(
                    "req -x509 -newkey rsa:2048 -nodes -subj /CN={name} -days 9 -keyout keys/{name}.key -out keys/{name}.pem"
                ),
            );
        }
        openssl(&self.work, "rsa -in keys/pcr.key -pubout -out keys/pcr.pub");
        for name in ["nix", "builder"] {
            let [secret, public] = ["secret", "public"].map(|kind| format!("keys/{name}.{kind}"));
            let mut command = self.daemon().command("nix-store").unwrap();
            command.args(["--generate-binary-cache-key", name, &secret, &public]);
            output(command).unwrap();
        }
        let keygen = [
            "log",
            "keygen",
            "--name",
            "check-1",
            "keys/checkpoint.secret",
        ];
        let public = self.machine.agent_done(keygen).unwrap();
        self.work.write("keys/checkpoint.public", public);
        for entry in fs::read_dir(self.work.path("keys")).unwrap() {
            rustix::fs::chmod(entry.unwrap().path(), 0o600.into()).unwrap();
        }
    }

    /// Lets a passphrase protect the key of PCR values.
    pub fn encrypt_pcr_key(&self, passphrase: &str) {
        let encrypt =
            format!("pkcs8 -topk8 -in keys/pcr.key -passout file:{passphrase} -out keys/encrypted");
        openssl(&self.work, &encrypt);
        fs::rename(
            self.work.path("keys/encrypted"),
            self.work.path("keys/pcr.key"),
        )
        .unwrap();
        rustix::fs::chmod(self.work.path("keys/pcr.key"), 0o600.into()).unwrap();
    }

    /// The public half of the builder's key.
    fn builder(&self) -> String {
        let text = self.work.read("keys/builder.public");
        String::from_utf8(text).unwrap().trim().to_owned()
    }

    /// A policy with these keys: builds `granted-…` of whatever was built here, once root has granted them; builds `system-…` of systems that the
    /// builder's key has signed.
    pub fn policy(&self, keys: Value) -> Value {
        let path = |name: &str| self.work.path(name).display().to_string();
        let image = |origin: Value| {
            let (mut kernel, mut initrd) = (origin.clone(), origin.clone());
            kernel["names"] = json!(["linux.efi"]);
            initrd["names"] = json!(["initrd-*"]);
            json!({ "uki": {
                "stub": { "files": [path("stub")] },
                "toplevel": origin,
                "kernel": { "ofToplevel": kernel },
                "initrd": { "ofToplevel": initrd },
                "pcrKeys": ["pcr"],
            } })
        };
        let built = json!({ "builtHere": true });
        let signed = json!({ "trustedPublicKeys": [self.builder()] });
        let names: Vec<String> = keys.as_object().unwrap().keys().cloned().collect();
        let operations = |image: &str, origin: &Value| -> Vec<Value> {
            let of = |name: &String| match keys[name]["kind"].as_str().unwrap() {
                "image" => json!({ "authenticode": { "key": name, "image": image } }),
                "pcr" => {
                    json!({ "pcrPolicy": { "key": name, "image": image, "banks": ["sha256"], "phases": ["", "enter-initrd"] } })
                }
                _ => json!({ "manifest": { "key": name, "origin": origin } }),
            };
            names.iter().map(of).collect()
        };
        json!({
            "version": 1,
            "keys": keys,
            "log": { "checkpointKey": path("keys/checkpoint.secret"), "exports": [path("exports")] },
            "images": { "built": image(built.clone()), "signed": image(signed.clone()) },
            "rules": [
                { "name": "granted", "derivations": { "names": ["granted-*"], "requesters": ["root"] }, "operations": operations("built", &built) },
                { "name": "system", "derivations": { "names": ["system-*"] }, "operations": operations("signed", &signed) },
            ],
        })
    }

    /// The three keys as files.
    pub fn file_keys(&self) -> Value {
        let path = |name: &str| self.work.path(name).display().to_string();
        json!({
            "db": { "kind": "image", "key": path("keys/db.key"), "certificate": path("keys/db.pem") },
            "pcr": { "kind": "pcr", "key": path("keys/pcr.key"), "publicKey": path("keys/pcr.pub") },
            "nix": { "kind": "nix", "key": path("keys/nix.secret") },
        })
    }

    /// The nix-daemon.
    pub fn daemon(&self) -> &NixDaemon {
        self.machine.daemon()
    }

    /// Starts the agent by this policy.
    pub fn serve(&self, policy: &Value) -> ServingAgent {
        self.machine.serve(&policy.to_string()).unwrap()
    }

    /// The entries of the log, which must verify.
    pub fn log(&self) -> Vec<Value> {
        let shown = self
            .machine
            .agent_done(["log", "show", "--json", "state/log"])
            .unwrap();
        let entry = |line| serde_json::from_str(line).unwrap();
        shown.lines().map(entry).collect()
    }

    /// Sees that the log is what its exported checkpoints have signed.
    pub fn verify_log(&self) {
        let by = [
            "--public-key-file",
            "keys/checkpoint.public",
            "--checkpoint",
            "exports",
        ];
        let verify = ["log", "verify", "state/log"].into_iter().chain(by);
        self.machine.agent_done(verify).unwrap();
    }

    /// The arguments by which Nix finds the attribute of `agent.nix`.
    fn attribute(&self, attribute: &str) -> Vec<String> {
        let path = |name: &str| self.work.path(name).display().to_string();
        let inputs = format!(
            "{{ touchstone = {}; probe = {}; kernel = {}; stub = {}; loader = {}; certificate = {}; pcrKey = {}; evidence = {}; }}",
            path("touchstone"),
            path("touchstone-probe"),
            path("vmlinuz"),
            path("stub"),
            path("loader"),
            path("keys/db.pem"),
            path("keys/pcr.pub"),
            path("evidence"),
        );
        let file = self
            .checkout
            .join("rust/doors/cli/tests/agent_builds/agent.nix");
        let (file, checkout) = (file.display(), self.checkout.display());
        [
            file.to_string(),
            "--arg".to_owned(),
            "checkout".to_owned(),
            checkout.to_string(),
            "--arg".to_owned(),
            "inputs".to_owned(),
            inputs,
            "-A".to_owned(),
            attribute.to_owned(),
        ]
        .to_vec()
    }

    /// The path of an attribute's derivation.
    pub fn instantiate(&self, attribute: &str) -> String {
        let mut command = self.daemon().command("nix-instantiate").unwrap();
        command.args(self.attribute(attribute));
        output(command).unwrap().trim().to_owned()
    }

    /// The value of an attribute.
    pub fn evaluate(&self, attribute: &str) -> Value {
        let mut command = self.daemon().command("nix-instantiate").unwrap();
        command.args(["--eval", "--strict", "--json"]);
        command.args(self.attribute(attribute));
        serde_json::from_str(&output(command).unwrap()).unwrap()
    }

    /// Builds an attribute; the answer is its output, seen from the host.
    pub fn build(&self, attribute: &str) -> PathBuf {
        let built = self.daemon().build(self.attribute(attribute));
        self.daemon().on_host(&built.unwrap().concat())
    }

    /// A build of an attribute, ready to start.
    pub fn building(&self, attribute: &str) -> Command {
        let mut command = self.daemon().command("nix-build").unwrap();
        command.arg("--no-out-link").args(self.attribute(attribute));
        command
    }

    /// Why an attribute is not built.
    pub fn refused(&self, attribute: &str) -> String {
        let failed = self.daemon().build(self.attribute(attribute));
        format!("{:#}", failed.unwrap_err())
    }

    /// The system that an unsigned manifest is of.
    pub fn system_of(&self, manifest: &str) -> String {
        let manifest = fs::read(self.build(manifest)).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        manifest["toplevel"].as_str().unwrap().to_owned()
    }

    /// Signs the closure of a system with the builder's key, which the policy trusts.
    pub fn sign_closure(&self, system: &str) {
        let mut command = self.daemon().command("nix").unwrap();
        command.args(["store", "sign", "--recursive", "--key-file"]);
        command.args(["keys/builder.secret", system]);
        output(command).unwrap();
    }

    /// The Authenticode digest of an image by SHA-256.
    pub fn authenticode_digest(&self, image: &Path) -> Vec<u8> {
        let image = image.display().to_string();
        let said = self.work.json(["uki", "inspect", "--json", &image]);
        let digest = said["authenticodeSha256"].as_str().unwrap();
        data_encoding::HEXLOWER.decode(digest.as_bytes()).unwrap()
    }

    /// Lets the agent know that root wants this derivation signed.
    pub fn grant(&self, derivation: &str) {
        self.machine.agent_done(["grant", derivation]).unwrap();
    }
}
