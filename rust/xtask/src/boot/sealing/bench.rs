//! Keys, UKIs, predictions and machines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use touchstone_harness::boot::{Firmware, Machine, Variables};
use touchstone_harness::nix::output;
use touchstone_harness::{Inputs, Root, guest};
use touchstone_measure::Bank;
use touchstone_measure::policy::PcrPolicy;

use super::generation::Generation;
use super::signed::Approvals;
use crate::boot::keys::Keys;

/// The registers of a policy when nothing is said of them.
const PCRS: [u32; 4] = [7, 11, 12, 13];

/// What a prediction is asked for.
pub struct Asked<'a> {
    /// The phase of the boot.
    pub phase: &'a str,
    /// The bank.
    pub bank: Bank,
    /// The content of `dbx` after an update that is pending.
    pub dbx: Option<&'a Path>,
    /// Whether the initrd's systemd draws the line of release 262.
    pub os_separator: bool,
}

impl Asked<'_> {
    /// SHA-256 at a phase, without an update.
    pub fn at(phase: &str) -> Asked<'_> {
        Asked {
            phase,
            bank: Bank::Sha256,
            dbx: None,
            os_separator: false,
        }
    }
}

/// What `measure predict` said of a generation with its specialisations.
pub struct Prediction {
    name: String,
    bank: Bank,
    file: PathBuf,
}

/// What is the same for all generations.
pub struct Bench<'a> {
    /// Kernels, stubs and programs.
    pub inputs: &'a Inputs,
    folder: &'a Path,
    keys: Keys,
    initrd: PathBuf,
    /// Where QEMU and swtpm are.
    pub root: Root,
}

impl<'a> Bench<'a> {
    /// Makes keys, an initrd, and a signed loader in this folder.
    pub fn new(inputs: &'a Inputs, folder: &'a Path) -> Result<Bench<'a>> {
        let keys = Keys::make(inputs, &folder.join("keys"), &[])?;
        let loaders = inputs
            .boot
            .get("trixie")
            .context("no loader of Debian 13")?;
        let loader = loaders.get("x64").context("no loader of Debian 13")?;
        keys.sign(loader, &folder.join("loader.efi"), &[])?;
        Ok(Bench {
            initrd: guest::initrd(inputs, &folder.join("initrd"), None)?,
            root: inputs.trixie(),
            inputs,
            folder,
            keys,
        })
    }

    /// The signed UKI of a generation, made when it is asked for first.
    pub fn uki(&self, generation: Generation) -> Result<PathBuf> {
        let path = self.folder.join(generation.file());
        if path.exists() {
            return Ok(path);
        }
        let build = guest::uki(self.inputs)?;
        let mut build = self.signed(build, generation, &self.initrd);
        build.arg("--output").arg(&path);
        output(build)?;
        Ok(path)
    }

    /// Lets a command that builds a UKI build the signed one of a generation with this initrd; it still wants its output.
    pub fn signed(&self, mut build: Command, generation: Generation, initrd: &Path) -> Command {
        build.arg("--initrd").arg(initrd);
        build.args(["--cmdline", &generation.command_line()]);
        build.args(["--os-release", &generation.os_release()]);
        build.arg("--key").arg(self.keys.path("db.key"));
        build.arg("--certificate").arg(self.keys.path("db.pem"));
        build
    }

    /// A file beside the UKIs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A command of the program under test.
    pub fn command(&self, words: &[&str]) -> Command {
        self.keys.command(words)
    }

    /// What is predicted of a generation with its specialisations under Secure Boot.
    pub fn predict(&self, generations: &[Generation], asked: &Asked<'_>) -> Result<Prediction> {
        let first = generations.first().context("no generation")?;
        let name = format!("generation {}", first.number);
        let ukis = generations
            .iter()
            .map(|generation| Ok((generation.to_string(), self.uki(*generation)?)));
        self.predict_ukis(&name, &ukis.collect::<Result<Vec<_>>>()?, asked)
    }

    /// The same of any UKIs, each with its name.
    pub fn predict_ukis(
        &self,
        name: &str,
        ukis: &[(String, PathBuf)],
        asked: &Asked<'_>,
    ) -> Result<Prediction> {
        let entries = ukis
            .iter()
            .map(|(name, uki)| json!({ "name": name, "uki": uki }));
        let entries: Vec<Value> = entries.collect();
        let list = |name: &str| self.keys.path(&format!("{name}.esl"));
        let updates = asked.dbx.map(|dbx| json!({ "of dbx": { "dbx": dbx } }));
        let request = json!({
            "loader": self.folder.join("loader.efi"),
            "entries": entries,
            "measure": {
                "secureBoot": {
                    "PK": list("PK"), "KEK": list("KEK"), "db": list("db"),
                    "updates": updates.unwrap_or_else(|| json!({})),
                },
                "pcrs": PCRS,
                "banks": [asked.bank],
                "phases": [asked.phase],
                "osSeparator": asked.os_separator,
            },
        });
        let Asked { phase, bank, .. } = asked;
        let file = |kind: &str| {
            self.folder
                .join(format!("{name} {phase} {bank}.{kind}.json"))
        };
        fs::write(file("request"), request.to_string())?;
        let mut predict = self.keys.command(&["measure", "predict", "--json"]);
        predict.arg(file("request"));
        let answer = output(predict)?;
        fs::write(file("answer"), answer)?;
        Ok(Prediction {
            file: file("answer"),
            bank: *bank,
            name: name.to_owned(),
        })
    }

    /// The policy that admits what is predicted; the machine runs the last of these generations.
    pub fn policy(&self, predictions: &[Prediction]) -> Result<PcrPolicy> {
        let running = predictions.last().context("no prediction")?;
        let mut create = self.keys.command(&["policy", "create", "--json"]);
        create.args(["--running", &running.name]);
        create.args(["--bank", running.bank.name()]);
        for Prediction { name, file, .. } in predictions {
            create.arg(format!("{name}={}", file.display()));
        }
        let policy: PcrPolicy = serde_json::from_str(&output(create)?)?;
        policy.check()?;
        Ok(policy)
    }

    /// The approvals of these policies by a key made for that.
    pub fn approvals(&self, policies: &[&PcrPolicy]) -> Result<Approvals> {
        let keys = Keys::make(self.inputs, &self.folder.join("approving"), &[])?;
        Approvals::sign(&keys, self.folder, policies)
    }

    /// A machine with this UKI alone, under Secure Boot.
    pub fn machine(&self, uki: &Path) -> Result<Machine<'_>> {
        let firmware = Firmware::of_debian(self.root.path());
        let machine = Machine::new(&self.root, firmware)
            .file("EFI/BOOT/BOOTX64.EFI", self.folder.join("loader.efi"))
            .file("EFI/Linux/nixos-check.efi", uki)
            .file("loader/loader.conf", b"timeout 0\n".to_vec());
        Ok(machine.variables(self.variables(true)?))
    }

    /// Its firmware's keys.
    pub fn variables(&self, secure_boot: bool) -> Result<Variables> {
        Ok(Variables {
            pk: self.keys.read("PK.esl")?,
            kek: self.keys.read("KEK.esl")?,
            db: self.keys.read("db.esl")?,
            dbx: Vec::new(),
            secure_boot,
        })
    }
}
