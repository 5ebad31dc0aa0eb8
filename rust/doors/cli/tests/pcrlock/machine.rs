//! A machine for systemd-pcrlock: a software TPM that holds what a real boot measured, and the log of that boot.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use touchstone_harness::boot::{Boot, Firmware, Machine, Variables};
use touchstone_harness::nix::output;
use touchstone_harness::{Root, WITH_TPM};

use crate::reference::Kept;
use crate::support::Work;

impl Kept {
    /// Boots the generation of this name under Secure Boot, with the keys of this folder in the firmware; `before` is done with the
    /// machine's disk.
    pub fn boot(&self, name: &str, before: impl FnOnce(&Path)) -> Boot {
        let list = |name: &str| self.work.read(&format!("keys/{name}.esl"));
        let root = self.work.inputs.trixie();
        let machine = Machine::new(&root, Firmware::of_debian(root.path()))
            .file("EFI/BOOT/BOOTX64.EFI", self.work.path("loader.efi"))
            .file(
                "EFI/Linux/generation.efi",
                self.work.path(&format!("uki-{name}.efi")),
            )
            .file("loader/loader.conf", self.work.path("loader.conf"))
            .variables(Variables {
                pk: list("PK"),
                kek: list("KEK"),
                db: list("db"),
                dbx: Vec::new(),
                secure_boot: true,
            });
        let mut prepared = machine.prepare().unwrap();
        before(&prepared.disk());
        let boot = prepared.boot().unwrap();
        boot.reached().unwrap();
        boot
    }

    /// A digest by coreutils.
    pub fn hash(&self, bank: &str, data: &[u8]) -> String {
        self.work.write("to-hash", data);
        let visit = self.work.inside(self.work.inputs.trixie().visit());
        let mut command = visit.command(format!("{bank}sum")).unwrap();
        command.arg("to-hash");
        let printed = output(command).unwrap();
        printed.split_whitespace().next().unwrap().to_owned()
    }

    /// A register's value after it was extended with the hash of this datum.
    pub fn extended(&self, bank: &str, value: &str, data: &[u8]) -> String {
        let bytes = |digits: &str| -> Vec<u8> {
            let pairs = (0..digits.len()).step_by(2);
            pairs
                .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
                .collect()
        };
        let joined = [bytes(value), bytes(&self.hash(bank, data))].concat();
        self.hash(bank, &joined)
    }
}

/// A software TPM that runs until this is dropped.
pub struct Tpm {
    process: Child,
    /// How tpm2-tss reaches it.
    pub tcti: String,
    /// The file of what systemd measures from now on.
    pub userspace_log: String,
}

/// Extends the TPM as the events of the log did, says how it is reached, and keeps it until standard input ends.
const SCRIPT: &str = r#". ./events
echo "ready $TCTI"
read -r _ || true
"#;

impl Tpm {
    /// A TPM with the registers of this boot; the boot's log is written to `firmware.log`.
    pub fn new(work: &Work, state: &str, boot: &Boot) -> Tpm {
        work.write("with-tpm.sh", WITH_TPM);
        work.write("firmware.log", &boot.report.event_log);
        let shown = work.json(["eventlog", "show", "--json", "firmware.log"]);
        let events = shown["events"].as_array().unwrap().iter();
        let events: String = events
            .filter(|event| event["extends"] == true)
            .map(|event| {
                let digests = event["digests"].as_object().unwrap().iter();
                let digests: Vec<String> = digests
                    .map(|(bank, digest)| format!("{bank}={}", digest.as_str().unwrap()))
                    .collect();
                format!("tpm2_pcrextend {}:{}\n", event["pcr"], digests.join(","))
            })
            .collect();
        work.write("events", events);
        let visit = work.inside(work.inputs.trixie().visit());
        let mut command = visit.command("bash").unwrap();
        command
            .env("LC_ALL", "C")
            .args(["with-tpm.sh", state, SCRIPT]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        Tpm {
            process,
            tcti: ready.expect("the TPM did not start"),
            userspace_log: work
                .path(&format!("{state}.userspace"))
                .display()
                .to_string(),
        }
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// systemd-pcrlock of a root, beside a TPM, with the component files of the folder and its own.
pub struct Pcrlock<'a> {
    work: &'a Work,
    root: &'a Root,
    tpm: &'a Tpm,
}

impl<'a> Pcrlock<'a> {
    pub fn new(work: &'a Work, root: &'a Root, tpm: &'a Tpm) -> Pcrlock<'a> {
        Pcrlock { work, root, tpm }
    }

    fn command(&self, program: &str) -> Command {
        let visit = self.work.inside(self.root.visit());
        let mut command = visit
            .command(format!("/usr/lib/systemd/{program}"))
            .unwrap();
        let log = self.work.path("firmware.log");
        command.env("SYSTEMD_TPM2_DEVICE", &self.tpm.tcti);
        command.env("SYSTEMD_MEASURE_LOG_FIRMWARE", log);
        command.env("SYSTEMD_MEASURE_LOG_USERSPACE", &self.tpm.userspace_log);
        // There is no UKI under which this program runs.
        command.env("SYSTEMD_FORCE_MEASURE", "1");
        command
    }

    /// systemd itself measures a word.
    pub fn extend(&self, word: &str, pcrs: &[u32]) {
        let mut command = self.command("systemd-pcrextend");
        if pcrs != [11] {
            command.args(pcrs.iter().map(|pcr| format!("--pcr={pcr}")));
        }
        command.arg(word);
        output(command).unwrap();
    }

    fn pcrlock(&self, arguments: &[&str]) -> Command {
        let mut command = self.command("systemd-pcrlock");
        let ours = self.work.path("pcrlock.d");
        command
            .args(arguments)
            .arg(format!("--components={}", ours.display()));
        command.args(["--components=/usr/lib/pcrlock.d", "--no-pager"]);
        command
    }

    /// What a command prints as JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let mut command = self.pcrlock(arguments);
        command.arg("--json=short");
        serde_json::from_str(&output(command).unwrap()).unwrap()
    }

    /// Has it make a policy; the answer is what it said.
    pub fn make_policy(&self, arguments: &[&str]) -> String {
        let mut command = self.pcrlock(&["make-policy", "--force"]);
        command.arg(format!("--policy={}.policy", self.tpm.userspace_log));
        let output = command.args(arguments).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}
