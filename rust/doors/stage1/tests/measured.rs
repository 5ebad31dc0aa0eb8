//! What is measured of a verified closure: in a software TPM, in our reader of systemd's log, and in systemd's own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use touchstone_harness::boot::SoftTpm;
use touchstone_harness::nix::output;
use touchstone_harness::{Root, inputs, systemds};
use touchstone_measure::eventlog::userspace;
use touchstone_measure::{Bank, Digest};
use touchstone_stage1::measured;
use touchstone_stage1::tpm::Tpm;
use touchstone_store::StorePath;

const BANKS: [Bank; 4] = [Bank::Sha1, Bank::Sha256, Bank::Sha384, Bank::Sha512];
const REGISTER: u32 = 15;

fn toplevel() -> StorePath {
    StorePath::parse("/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system").unwrap()
}

/// A machine with a TPM, on which a closure was measured.
struct Measured<'a> {
    folder: TempDir,
    tpm: SoftTpm<'a>,
}

impl<'a> Measured<'a> {
    fn new(root: &'a Root) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("m")
            .tempdir_in("/tmp")
            .unwrap();
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        let tpm = SoftTpm::start(root, folder.path(), &state).unwrap();
        let measured = Self { folder, tpm };
        measured.measure();
        measured
    }

    fn measure(&self) {
        let channel = UnixStream::connect(self.tpm.socket()).unwrap();
        let mut tpm = Tpm::over("swtpm", channel);
        let boot = "52ff0c08-dd7e-47e6-9c59-8c9c85b8989b\n";
        measured::closure_by(&mut tpm, &self.log(), boot, REGISTER, &toplevel()).unwrap();
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("measure.log")
    }

    /// What the TPM holds, by tpm2-tools.
    fn register(&self, bank: Bank) -> String {
        let mut command = self.tpm.command("tpm2_pcrread").unwrap();
        command.arg(format!("{bank}:{REGISTER}"));
        let printed = output(command).unwrap();
        let value = printed.split("0x").nth(1).unwrap();
        value.trim().to_ascii_lowercase()
    }
}

#[test]
fn every_bank_is_extended_by_the_texts_digest() {
    let root = inputs().trixie();
    let measured = Measured::new(&root);
    for bank in BANKS {
        let digest = bank.hash(measured::text(&toplevel()).as_bytes());
        let value = Digest::zero(bank).extended(&digest);
        assert_eq!(measured.register(bank), value.to_string(), "{bank}");
    }
}

#[test]
fn our_reader_of_systemds_log_replays_to_the_registers() {
    let root = inputs().trixie();
    let measured = Measured::new(&root);
    measured.measure();
    let log = userspace::parse(&fs::read(measured.log()).unwrap()).unwrap();
    assert_eq!(log.records.len(), 2);
    assert_eq!(
        log.records[0].describe(),
        format!("the verified closure {}", toplevel())
    );
    assert!(log.records[0].contradictions().is_empty());
    for bank in BANKS {
        let mut pcrs = BTreeMap::new();
        log.replay(bank, &mut pcrs);
        assert_eq!(measured.register(bank), pcrs[&REGISTER].to_string());
    }
}

#[test]
fn systemd_reads_the_record_and_goes_on_behind_it() {
    let inputs = inputs();
    let root = inputs.trixie();
    for systemd in systemds(&inputs) {
        let measured = Measured::new(&root);
        let run = |program: &str, arguments: &[&str]| {
            let visit = systemd.visit().bind(measured.folder.path());
            let mut command = visit
                .command(format!("/usr/lib/systemd/{program}"))
                .unwrap();
            let socket = measured.tpm.socket();
            command
                .env(
                    "SYSTEMD_TPM2_DEVICE",
                    format!("swtpm:path={}", socket.display()),
                )
                .env("SYSTEMD_MEASURE_LOG_FIRMWARE", Path::new("/dev/null"))
                .env("SYSTEMD_MEASURE_LOG_USERSPACE", measured.log())
                .env("SYSTEMD_FORCE_MEASURE", "1")
                .args(arguments);
            output(command).unwrap()
        };
        run("systemd-pcrextend", &["--pcr=15", "a-word"]);
        let log = run("systemd-pcrlock", &["log", "--no-pager", "--json=short"]);
        assert!(log.contains(&measured::text(&toplevel())), "{log}");
        assert!(log.contains("a-word"), "{log}");
    }
}
