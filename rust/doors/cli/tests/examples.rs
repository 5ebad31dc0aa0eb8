//! The examples: the commands of their pages are run, and what they evaluate to is what their pages say. Evaluated offline, with a
//! stand-in for nixpkgs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use touchstone_agent::policy::{Pattern, Rule};
use touchstone_harness::nix::output;

use crate::flake::Flake;
use crate::nixos_pages::checkout;
use crate::support::{TOUCHSTONE, alias};

/// A copy of an example, in which the commands of its page can be run.
struct Example {
    flake: Flake,
    folder: PathBuf,
    /// The blocks of commands of its page that a test runs.
    commands: Vec<String>,
}

impl Example {
    fn new(name: &str) -> Example {
        let flake = Flake::new();
        let folder = flake.work.path(name);
        copy(&flake.work.path("touchstone/examples").join(name), &folder);
        let page = fs::read_to_string(folder.join("README.md")).unwrap();
        let blocks = page.split("```sh\n").skip(1);
        let commands = blocks
            .map(|rest| rest.split("```").next().unwrap().to_owned())
            .collect();
        Example {
            flake,
            folder,
            commands,
        }
    }

    /// Runs commands in the copy, as the page's reader would.
    fn run(&self, commands: &str) {
        let visit = self.flake.work.inputs.trixie().visit();
        let visit = visit.bind(self.flake.work.folder()).folder(&self.folder);
        let mut shell = visit.show(TOUCHSTONE).command("bash").unwrap();
        shell.args(["-euxc", &[&alias(), commands].concat()]);
        output(shell).unwrap();
    }

    fn json(&self, attribute: &str) -> Value {
        self.flake.json(&self.folder, attribute)
    }

    /// The names of a set of derivations, all of which are evaluated.
    fn derivations(&self, attribute: &str) -> Vec<String> {
        let names = "builtins.mapAttrs (_: value: value.drvPath)";
        let how = ["--json", "--apply", names];
        let answer = self.flake.evaluate_with(&self.folder, &how, attribute);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        answer.as_object().unwrap().keys().cloned().collect()
    }

    /// Whether `nix flake check` finds nothing to say, short of building.
    fn check(&self) {
        self.flake.check(&self.folder);
    }

    fn system(&self, machine: &str, attribute: &str) -> Value {
        self.json(&format!("nixosConfigurations.{machine}.config.{attribute}"))
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_laptop_is_what_its_page_says() {
    let laptop = Example::new("laptop");
    // In the place of the certificate of a key in a TPM.
    laptop.run("touchstone keys generate tpm && mv tpm/db.pem tpm.pem");
    laptop.run(&laptop.commands.concat());

    let artifacts = laptop.json("packages.x86_64-linux.boot-artifacts.request");
    assert_eq!(artifacts["operation"], "boot.artifacts");
    assert_eq!(artifacts["sign"], Value::Null, "the build holds no key");
    assert_eq!(artifacts["profiles"][0]["id"], "debug");
    let secure_boot = &artifacts["measure"]["secureBoot"];
    for (name, file) in [
        ("PK", "PK.esl"),
        ("db", "db.esl"),
        ("certificate", "db.pem"),
    ] {
        let path = secure_boot[name].as_str().unwrap();
        assert!(path.ends_with(file), "{name}: {path}");
    }
    assert_eq!(
        laptop.system("laptop", "boot.touchstone.signing.key"),
        "tpm2:handle=0x81010001"
    );
    laptop.check();
    assert_eq!(
        laptop.derivations("checks.x86_64-linux"),
        ["artifacts", "bootspec", "esp", "secrets"]
    );
}

#[test]
fn the_fleet_is_what_its_page_says() {
    let fleet = Example::new("fleet");
    let [keys] = &fleet.commands[..] else {
        panic!("{:?}", fleet.commands);
    };
    fleet.run(keys);
    let deploy = fleet.folder.join("keys/deploy.pub");
    fs::write(deploy, "ssh-ed25519 AAAA deploy").unwrap();

    let hosts = ["database", "web1", "web2"];
    for host in hosts {
        let sealed = |attribute: &str| {
            fleet.json(&format!("packages.x86_64-linux.sealed-{host}.{attribute}"))
        };
        let request = sealed("request");
        assert_eq!(request["operation"], "boot.artifacts");
        assert!(request["seal"].is_object());
        assert_eq!(request["sign"]["key"], "agent:db");
        assert_eq!(request["manifestKey"], "agent:nix");
        assert_eq!(
            sealed("requiredSystemFeatures"),
            json!(["touchstone-agent"])
        );
        assert_eq!(fleet.system(host, "networking.hostName"), json!(host));
        let installed = fleet.system(host, "boot.loader.touchstone.settings");
        assert_eq!(installed["images"], "sealed");
        let keys = [&installed["signing"], &installed["verify"]["keyFile"]];
        assert_eq!(keys, [&Value::Null; 2], "the host holds no key");
    }
    fleet.check();
    let checks = ["artifacts", "esp", "secrets", "signatures"];
    let mut wanted: Vec<String> = checks
        .iter()
        .flat_map(|check| hosts.map(|host| format!("{check}-{host}")))
        .collect();
    wanted.sort();
    assert_eq!(fleet.derivations("checks.x86_64-linux"), wanted);
}

#[test]
fn the_builder_of_the_fleet_has_an_agent_that_takes_its_policy() {
    let fleet = Example::new("fleet");
    fleet.run(&fleet.commands[0]);
    let policy = fleet.system("builder", "boot.touchstone.agent.document");
    assert_eq!(
        policy["rules"][0]["derivations"]["names"],
        json!(["nixos-system-*-sealed", "nixos-system-*-manifest.json"])
    );
    assert_eq!(policy["keys"]["db"]["key"], "/var/lib/fleet/db.key");
    let work = &fleet.flake.work;
    work.write("policy.json", serde_json::to_vec(&policy).unwrap());
    work.done(["agent", "check-policy", "policy.json"]);
}

#[test]
fn the_rules_of_the_pages_admit_every_derivation_that_asks_for_the_agent() {
    let fleet = Example::new("fleet");
    fleet.run(&fleet.commands[0]);
    let deploy = fleet.folder.join("keys/deploy.pub");
    fs::write(deploy, "ssh-ed25519 AAAA deploy").unwrap();
    let policy = fleet.system("builder", "boot.touchstone.agent.document");
    let rules: Vec<Rule> = serde_json::from_value(policy["rules"].clone()).unwrap();
    let of_fleet = rules[0].derivations.as_ref().unwrap().names.clone();
    let page = checkout("docs/agent.md");
    let (_, rule) = page.split_once("derivations = { names = [").unwrap();
    let names = rule.split_once(']').unwrap().0;
    let quoted = names.split('"').skip(1).step_by(2);
    let of_page: Vec<Pattern> = quoted.map(|name| name.parse().unwrap()).collect();

    // All that a host can have: a manifest for a class of machines is signed as a whole, in a build of its own.
    let more = "{ boot.initrd.verify.manifest.class = \"kiosk\"; specialisation.rescue.configuration = { }; }";
    let apply = format!(
        "host: (host.extendModules {{ modules = [ {more} ]; }}).config.system.build.toplevel.drvPath"
    );
    let how = ["--raw", "--apply", &apply];
    let host = "nixosConfigurations.web1";
    let system = fleet.flake.evaluate_with(&fleet.folder, &how, host);
    let asking = fleet.flake.asking(&system);
    assert_eq!(asking.len(), 4, "{asking:?}");
    for name in &asking {
        for names in [&of_fleet, &of_page] {
            let admitted = names.iter().any(|pattern| pattern.matches(name));
            assert!(admitted, "{name} is none of {names:?}");
        }
    }
}

#[test]
fn the_appliance_is_what_its_page_says() {
    let appliance = Example::new("appliance");
    let [keys, signing] = &appliance.commands[..] else {
        panic!("{:?}", appliance.commands);
    };
    appliance.run(keys);
    let requests = appliance.json("packages.x86_64-linux.requests.request");
    assert_eq!(requests["operation"], "boot.requests");
    let loader = &appliance.flake.work.inputs.boot["trixie"]["x64"];
    fs::copy(loader, appliance.folder.join("loader.efi")).unwrap();
    appliance.run(
        "mkdir requests && digest=$(touchstone pe digest loader.efi) && touchstone pe sign --prepare-offline-signing \
         --certificate keys/db.pem --output requests/${digest:0:64}.signed-data loader.efi",
    );
    appliance.run(signing);

    let update = appliance.json("packages.x86_64-linux.update.request");
    assert!(update["seal"].is_object());
    assert_eq!(update["seal"]["switch"], Value::Null, "nothing is switched");
    let installed = appliance.system("appliance", "boot.loader.touchstone.settings");
    assert_eq!(installed["images"], "sealed");
    assert_eq!(installed["bootCounting"], json!({ "tries": 2 }));
    assert_eq!(installed["signing"], Value::Null);
    let key = fs::read_to_string(appliance.folder.join("keys/nix.pub")).unwrap();
    assert_eq!(installed["trustedPublicKeys"], json!([key.trim()]));
    let off = [
        "nix.enable",
        "system.activatable",
        "environment.shell.enable",
    ];
    for option in off {
        assert_eq!(appliance.system("appliance", option), false, "{option}");
    }
    appliance.check();
    assert_eq!(
        appliance.derivations("checks.x86_64-linux"),
        ["artifacts", "esp", "interpreters", "secrets", "signatures"]
    );
}
