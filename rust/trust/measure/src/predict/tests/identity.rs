//! PCR 15 beside systemd's own program, of each release, and a software TPM.
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use touchstone_harness::{Inputs, Systemd, WITH_TPM, inputs, systemds};

use super::*;
use crate::boot_path::{FileSystem, Identity, Linux, Partition};

const ID: &str = "0123456789abcdef0123456789abcdef";

/// A software TPM that is there until it is dropped.
struct Tpm {
    inputs: Inputs,
    folder: tempfile::TempDir,
    script: Child,
}

impl Tpm {
    fn new() -> Tpm {
        let (inputs, folder) = (inputs(), tempfile::tempdir().unwrap());
        fs::write(folder.path().join("with-tpm.sh"), WITH_TPM).unwrap();
        let wait = "echo \"$TCTI\" >new; mv new tcti; until [ -e stop ]; do sleep 0.1; done";
        let script = inside(&inputs.trixie().visit(), folder.path())
            .args(["with-tpm.sh", "tpm", wait])
            .spawn()
            .unwrap();
        let started = Instant::now();
        while !folder.path().join("tcti").exists() {
            assert!(started.elapsed().as_secs() < 60, "no TPM started");
            std::thread::sleep(Duration::from_millis(50));
        }
        Tpm {
            inputs,
            folder,
            script,
        }
    }

    fn tcti(&self) -> String {
        let tcti = fs::read_to_string(self.folder.path().join("tcti")).unwrap();
        tcti.trim().to_owned()
    }

    /// systemd of this release measures the machine id, and the file system at /proc, which has no block device.
    fn identity(&self, systemd: &Systemd) {
        let measure = format!(
            "/usr/lib/systemd/systemd-pcrextend --tpm2-device={}",
            self.tcti()
        );
        let script = format!(
            "set -e; export SYSTEMD_FORCE_MEASURE=1; {measure} --machine-id; {measure} --file-system=/proc"
        );
        let etc = self.folder.path().join("etc");
        fs::create_dir(&etc).unwrap();
        fs::write(etc.join("machine-id"), format!("{ID}\n")).unwrap();
        let visit = systemd.visit().bind_at(etc, "/etc");
        let mut command = inside(&visit, self.folder.path());
        let output = command.args(["-c", &script]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }

    /// The value of PCR 15.
    fn value(&self, bank: Bank) -> String {
        let visit = self.inputs.trixie().visit();
        let mut command = inside(&visit, self.folder.path());
        let read = format!("tpm2_pcrread --quiet --output=value {bank}:15");
        let command = command.env("TPM2TOOLS_TCTI", self.tcti());
        assert!(command.args(["-c", &read]).status().unwrap().success());
        let value = fs::read(self.folder.path().join("value")).unwrap();
        value.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        let _ = fs::write(self.folder.path().join("stop"), "");
        let _ = self.script.wait();
    }
}

/// A shell in a root, in this folder.
fn inside(visit: &touchstone_harness::Visit, folder: &Path) -> std::process::Command {
    let visit = visit.clone().bind(folder).folder(folder);
    visit.command("bash").unwrap()
}

fn machine(identity: Option<Identity>) -> BootPath {
    BootPath {
        identity,
        ..boot("257.1", true)
    }
}

fn pcr15() -> Ask {
    Ask {
        banks: Bank::ALL.to_vec(),
        ..ask(15)
    }
}

fn identity(path: &str, partition: Option<Partition>) -> Identity {
    Identity {
        closure: None,
        machine_id: ID.parse().unwrap(),
        file_systems: vec![FileSystem {
            path: path.into(),
            partition,
        }],
    }
}

#[test]
fn pcr_15_is_that_of_systemd_in_every_bank() {
    let predicted = predict(&machine(Some(identity("/proc", None))), &pcr15()).unwrap();
    for systemd in systemds(&inputs()) {
        let tpm = Tpm::new();
        tpm.identity(&systemd);
        for bank in Bank::ALL {
            let value = predicted.leaves[0].pcrs[&15][&bank].to_string();
            assert_eq!(value, tpm.value(bank), "{} {bank}", systemd.release);
        }
    }
}

#[test]
fn a_closure_that_stage_1_verified_is_measured_before_systemd_begins() {
    let toplevel = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system";
    let identity = Identity {
        closure: Some(touchstone_store::StorePath::parse(toplevel).unwrap()),
        ..identity("/", None)
    };
    let predicted = predict(&machine(Some(identity)), &pcr15()).unwrap();
    for bank in Bank::ALL {
        let words = [
            format!("touchstone-closure:{toplevel}"),
            format!("machine-id:{ID}"),
            "file-system:/::::::".to_owned(),
        ];
        let value = words.iter().fold(Digest::zero(bank), |value, word| {
            value.extended(&bank.hash(word.as_bytes()))
        });
        assert_eq!(predicted.leaves[0].pcrs[&15][&bank], value, "{bank}");
    }
}

#[test]
fn pcr_15_is_refused_of_what_systemd_might_write_otherwise() {
    for unlike in [
        identity("/", Some(Partition::default())),
        identity("/a b", None),
        identity("etc", None),
    ] {
        let refused = predict(&machine(Some(unlike)), &pcr15()).unwrap_err();
        assert!(
            matches!(refused, PredictError::NotCompared { pcr: 15, .. }),
            "{refused}"
        );
    }
    let mut without_uki = machine(Some(identity("/", None)));
    without_uki.program = Program::Linux(Box::new(Linux {
        image: uki(&mut without_uki).image.clone(),
        initrds: Vec::new(),
        options: String::new(),
    }));
    let refused = predict(&without_uki, &pcr15()).unwrap_err();
    assert!(
        matches!(refused, PredictError::NotCompared { pcr: 15, .. }),
        "{refused}"
    );
    let refused = predict(&machine(None), &pcr15()).unwrap_err();
    assert!(
        matches!(refused, PredictError::Pcr { pcr: 15, .. }),
        "{refused}"
    );
}
