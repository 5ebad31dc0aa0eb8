//! What a real agent signs for a person: the same bytes as the same keys give in files, for images, UKIs with signatures of PCR 11, whole
//! generations and manifests. What its policy does not admit is refused in its own words, and nothing is written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::{Value, json};
use touchstone_harness::Nix;

use crate::agent::Agent;
use crate::real_nix::assert_same_tree;
use crate::sign_files::openssl;
use crate::support::{TOUCHSTONE, Work, assert_same_bytes, noise};

/// A generation in a store that Nix made, keys, and a policy that admits it.
struct Fleet {
    work: Work,
    /// By what it is: `system`, `linux`, `initrd`.
    store: Value,
    /// The list of the system's closure, as `exportReferencesGraph` has it.
    closure: Value,
}

impl Fleet {
    fn new() -> Fleet {
        let work = Work::with_kernel("amd64");
        work.stub("trixie", "x64", "stub");
        fs::copy(&work.inputs.boot["trixie"]["x64"], work.path("loader")).unwrap();
        // Real keys: no certificate says that they are tests'.
        for key in ["db", "pcr"] {
            let request = "req -x509 -newkey rsa:2048 -nodes -days 9";
            openssl(
                &work,
                &format!("{request} -subj /CN={key} -keyout {key}.key -out {key}.pem"),
            );
        }
        openssl(&work, "rsa -in pcr.key -pubout -out pcr.pub");
        work.done(["agent", "log", "keygen", "--name", "fleet", "log.key"]);
        let nix = Nix::new(&work.inputs, work.path("root")).unwrap();
        let nix = nix.bind(work.folder());
        for key in ["fleet-1", "origin-1"] {
            let [secret, public] = ["secret", "public"].map(|kind| format!("{key}.{kind}"));
            let make = ["--generate-binary-cache-key", key];
            let files = [work.path(&secret), work.path(&public)];
            let mut command = nix.command("nix-store").unwrap();
            output_of(command.args(make).args(files));
        }
        let (store, closure) = store(&work, &nix);
        for secret in ["db.key", "pcr.key", "fleet-1.secret", "log.key"] {
            fs::set_permissions(work.path(secret), Permissions::from_mode(0o600)).unwrap();
        }
        Fleet {
            work,
            store,
            closure,
        }
    }

    fn text(&self, file: &str) -> String {
        let text = String::from_utf8(self.work.read(file)).unwrap();
        text.trim_end().to_owned()
    }

    /// An agent that lets root have this generation signed, and nothing else.
    fn serve(&self) -> Agent {
        let work = &self.work;
        let origin = json!({ "trustedPublicKeys": [self.text("origin-1.public")] });
        let policy = json!({
            "version": 1,
            "store": work.path("root"),
            "keys": {
                "db": { "kind": "image", "key": work.path("db.key"), "certificate": work.path("db.pem") },
                "pcr": { "kind": "pcr", "key": work.path("pcr.key"), "publicKey": work.path("pcr.pub") },
                "nix": { "kind": "nix", "key": work.path("fleet-1.secret") },
            },
            "images": {
                "system": { "uki": {
                    "stub": { "files": [work.path("stub")] },
                    "toplevel": origin,
                    "kernel": { "files": [work.path("vmlinuz")] },
                    "initrd": { "files": [work.path("initrd")] },
                    "cmdline": { "allowed": ["console=ttyS0", "debug"] },
                    "pcrKeys": ["pcr"],
                } },
                "boot": { "loader": { "files": [work.path("loader")] } },
            },
            "rules": [ {
                "name": "people",
                "users": ["root"],
                "operations": [
                    { "authenticode": { "key": "db", "image": "system" } },
                    { "authenticode": { "key": "db", "image": "boot" } },
                    { "pcrPolicy": { "key": "pcr", "image": "system", "banks": ["sha256", "sha384"],
                        "phases": ["enter-initrd", "enter-initrd:leave-initrd"] } },
                    { "manifest": { "key": "nix", "origin": origin, "classes": ["lab"] } },
                ],
            } ],
            "log": { "checkpointKey": work.path("log.key") },
        });
        work.write("policy.json", policy.to_string());
        fs::set_permissions(work.path("policy.json"), Permissions::from_mode(0o600)).unwrap();
        Agent::start(work.folder())
    }

    /// The name of a key: of the agent's, or the file of the same.
    fn key(&self, by: By, name: &str) -> String {
        match by {
            By::Agent => format!("agent:{name}?socket={}", self.work.path("direct").display()),
            By::File if name == "nix" => "fleet-1.secret".to_owned(),
            By::File => format!("{name}.key"),
        }
    }

    fn signing(&self, by: By) -> Value {
        json!({ "key": self.key(by, "db"), "certificate": "db.pem" })
    }

    fn signing_pcrs(&self, by: By) -> Value {
        json!({ "banks": ["sha256", "sha384"], "keys": [{ "key": self.key(by, "pcr"),
            "phases": ["enter-initrd", "enter-initrd:leave-initrd"] }] })
    }

    fn command_line(&self) -> String {
        format!(
            "init={}/init console=ttyS0",
            self.store["system"].as_str().unwrap()
        )
    }

    fn uki(&self, by: By, output: &str) -> Value {
        json!({
            "operation": "uki.assemble", "stub": "stub", "linux": "vmlinuz", "initrds": ["initrd"],
            "cmdline": self.command_line(), "osRelease": "ID=check\nPRETTY_NAME=Check\n",
            "sign": self.signing(by), "pcrSign": self.signing_pcrs(by), "measure": {}, "output": output,
        })
    }

    /// The artifacts of the generation, with a profile.
    fn artifacts(&self, by: By, output: &str) -> Value {
        let system = self.store["system"].as_str().unwrap();
        json!({
            "operation": "boot.artifacts",
            "bootspec": {
                "system": "x86_64-linux", "toplevel": system, "init": format!("{system}/init"),
                "kernel": self.store["linux"], "initrds": [self.store["initrd"]],
                "kernelParams": ["console=ttyS0"], "label": "NixOS (one)",
            },
            "profiles": [{ "id": "debug", "kernelParams": ["debug"] }],
            "stub": "stub", "loader": "loader", "osRelease": "ID=check\nPRETTY_NAME=Check\n",
            "sign": self.signing(by), "pcrSign": self.signing_pcrs(by),
            "closure": self.closure, "manifestKey": self.key(by, "nix"), "output": output,
        })
    }

    /// Runs a request, where the store is at `/nix/store`.
    fn run(&self, request: &Value) -> Output {
        self.work.write("request.json", request.to_string());
        let visit = self.work.inside(self.work.inputs.trixie().visit());
        let visit = visit
            .bind_at(self.work.path("root/nix"), "/nix")
            .show(TOUCHSTONE);
        let mut command = visit.command(TOUCHSTONE).unwrap();
        command.args(["run", "request.json"]).output().unwrap()
    }

    fn done(&self, request: &Value) -> Value {
        let output = self.run(request);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What is said of a request that is refused.
    fn refused(&self, request: &Value) -> String {
        let output = self.run(request);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let made = request["output"].as_str().unwrap();
        assert!(!self.work.path(made).exists(), "{made}");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// Who signs.
#[derive(Clone, Copy)]
enum By {
    Agent,
    File,
}

/// Puts a system, a kernel and an initrd into Nix' store; the system is signed as from elsewhere.
fn store(work: &Work, nix: &Nix) -> (Value, Value) {
    work.write("initrd", noise(1, 300_000));
    fs::create_dir(work.path("system")).unwrap();
    work.write("system/init", "#!/bin/false\n");
    fs::set_permissions(work.path("system/init"), Permissions::from_mode(0o755)).unwrap();
    let ask = |words: &[&str]| {
        let mut command = nix.command("nix-store").unwrap();
        output_of(command.args(words))
    };
    let mut store = json!({});
    for (name, file) in [
        ("system", "system"),
        ("linux", "vmlinuz"),
        ("initrd", "initrd"),
    ] {
        let file = work.path(file);
        store[name] = json!(ask(&["--add", file.to_str().unwrap()]));
    }
    let system = store["system"].as_str().unwrap();
    let mut sign = nix.command("nix").unwrap();
    let words = ["--quiet", "store", "sign", "--key-file"];
    output_of(
        sign.args(words)
            .arg(work.path("origin-1.secret"))
            .arg(system),
    );
    let [hash, size] = ["--hash", "--size"].map(|what| ask(&["--query", what, system]));
    let size: u64 = size.parse().unwrap();
    let closure = json!([{ "path": system, "narHash": hash, "narSize": size, "references": [],
        "ca": format!("fixed:r:{hash}") }]);
    (store, closure)
}

/// What a program printed, which must end well.
fn output_of(command: &mut std::process::Command) -> String {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {said}");
    String::from_utf8(done.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// The same request by the agent and by the file, with the outputs `by-agent` and `by-file`.
fn both(fleet: &Fleet, request: impl Fn(By, &str) -> Value) {
    let by_file = fleet.done(&request(By::File, "by-file"));
    let by_agent = fleet.done(&request(By::Agent, "by-agent"));
    assert_eq!(by_agent, by_file);
}

fn same_files(work: &Work) {
    let [agent, file] = ["by-agent", "by-file"].map(|name| work.read(name));
    assert_same_bytes("by an agent and by a file", &agent, &file);
}

#[test]
fn a_boot_loader_is_the_one_that_the_key_signs() {
    let fleet = Fleet::new();
    let agent = fleet.serve();
    both(
        &fleet,
        |by, output| json!({ "operation": "pe.sign", "file": "loader", "sign": fleet.signing(by), "output": output }),
    );
    same_files(&fleet.work);
    agent.stop();
}

#[test]
fn a_uki_with_signatures_of_pcr_11_is_the_one_that_the_keys_sign() {
    let fleet = Fleet::new();
    let agent = fleet.serve();
    both(&fleet, |by, output| fleet.uki(by, output));
    same_files(&fleet.work);
    agent.stop();
}

#[test]
fn the_artifacts_of_a_generation_are_those_that_the_keys_sign() {
    let fleet = Fleet::new();
    let agent = fleet.serve();
    both(&fleet, |by, output| fleet.artifacts(by, output));
    let [by_agent, by_file] = ["by-agent", "by-file"].map(|name| fleet.work.path(name));
    assert_same_tree("by an agent and by files", &by_agent, &by_file);
    agent.stop();
}

#[test]
fn a_manifest_for_a_class_is_the_one_that_the_key_signs() {
    let fleet = Fleet::new();
    let agent = fleet.serve();
    fleet.done(
        &json!({ "operation": "manifest.create", "toplevel": fleet.store["system"],
        "class": "lab", "closure": fleet.closure, "output": "manifest" }),
    );
    both(
        &fleet,
        |by, output| json!({ "operation": "manifest.sign", "manifest": "manifest", "key": fleet.key(by, "nix"), "output": output }),
    );
    same_files(&fleet.work);
    agent.stop();
}

#[test]
fn a_closure_is_signed_as_the_key_signs_it() {
    let fleet = Fleet::new();
    let agent = fleet.serve();
    both(&fleet, |by, output| {
        json!({ "operation": "closure.sign", "toplevel": fleet.store["system"], "root": "root",
            "key": fleet.key(by, "nix"), "output": output })
    });
    same_files(&fleet.work);
    agent.stop();
}

#[test]
fn what_the_policy_does_not_admit_is_refused_in_its_words() {
    let fleet = Fleet::new();
    let agent = fleet.serve();
    let mut second = fleet.uki(By::Agent, "second-init");
    second["cmdline"] = json!(format!("{} init=/bin/sh", fleet.command_line()));
    let mut foreign = fleet.uki(By::Agent, "foreign-initrd");
    foreign["initrds"] = json!(["initrd", "second-initrd"]);
    let stub = json!({ "operation": "pe.sign", "file": "stub", "sign": fleet.signing(By::Agent), "output": "signed-stub" });
    for request in [second, foreign, stub] {
        let said = fleet.refused(&request);
        assert!(said.contains("the signing agent refuses: "), "{said}");
        assert!(said.contains("of its log] [agent.refused]"), "{said}");
        assert!(said.contains("\n  help: "), "{said}");
    }
    let mut unknown = fleet.uki(By::Agent, "unknown-key");
    unknown["sign"]["key"] = json!(fleet.key(By::Agent, "nobody"));
    assert!(fleet.refused(&unknown).contains("[agent.refused]"));
    agent.stop();
    let said = fleet.refused(&fleet.uki(By::Agent, "no-agent"));
    assert!(said.contains("[agent.unreachable]"), "{said}");
}

#[test]
fn a_certificate_that_the_agent_does_not_have_is_found_out() {
    let fleet = Fleet::new();
    let agent = fleet.serve();
    let sign = json!({ "key": fleet.key(By::Agent, "db"), "certificate": "pcr.pem" });
    let said = fleet.refused(
        &json!({ "operation": "pe.sign", "file": "loader", "sign": sign, "output": "signed" }),
    );
    assert!(said.contains("[agent.wrong-answer]"), "{said}");
    agent.stop();
}
