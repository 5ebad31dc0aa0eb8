//! The program as it is shipped, in an initrd, on a store with a hundred thousand files: what it takes of memory, what it says, and that it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)] // tests end loudly

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use touchstone_harness::inputs::inputs;
use touchstone_harness::{Root, Usage};
use touchstone_store::{SecretKey, StorePath, fingerprint, nar};

const FILES: usize = 100_000;
/// Files of a path that holds nothing but one folder of them.
const WIDE: usize = 20_000;
const PATHS: usize = 2_000;
/// References of each path.
const REFERENCES: usize = 20;
/// 24 MiB.
const MOST: u64 = 24 << 20;

/// An initrd with the program, and a mounted root with a system, as folders.
struct Machine {
    folder: TempDir,
    paths: Vec<StorePath>,
}

fn path(number: usize) -> StorePath {
    let name = format!("/nix/store/{number:032}-part-of-the-system-1.2.{number}");
    StorePath::parse(&name).unwrap()
}

impl Machine {
    fn new() -> Machine {
        let machine = Machine {
            folder: tempfile::tempdir().unwrap(),
            paths: (0..PATHS).map(path).collect(),
        };
        for folder in [
            "bin",
            "etc/touchstone",
            ".touchstone",
            "var/tmp",
            "proc",
            "sysroot",
        ] {
            fs::create_dir_all(machine.at("initrd").join(folder)).unwrap();
        }
        fs::create_dir_all(machine.at("root/nix/store")).unwrap();
        let stage1 = inputs().stage1;
        let stage1 = stage1.expect("stage 1 is not built: run `cargo xtask setup`");
        fs::copy(stage1, machine.at("initrd/bin/touchstone-stage1")).unwrap();
        machine
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn on_disk(&self, path: &StorePath) -> PathBuf {
        self.at("root/nix/store").join(path.base_name())
    }

    /// Fills the store, with this many files; the first path is a system, the second a single folder.
    fn fill(&self) {
        let each = (FILES - WIDE).div_ceil(PATHS);
        for (number, path) in self.paths.iter().enumerate() {
            let folder = self.on_disk(path).join("lib/folder");
            fs::create_dir_all(&folder).unwrap();
            for file in 0..if number == 1 { WIDE } else { each } {
                fs::write(
                    folder.join(format!("a-file-of-the-system-{file}.so")),
                    path.name(),
                )
                .unwrap();
            }
        }
        let toplevel = self.on_disk(&self.paths[0]);
        fs::write(toplevel.join("nixos-version"), "test").unwrap();
        let init = toplevel.join("init");
        fs::write(&init, "#!").unwrap();
        fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Signs what is there, and writes what the image carries.
    fn sign(&self) {
        let key = SecretKey::from_seed("cache-1", &[1; 32].into()).unwrap();
        let toplevel = &self.paths[0];
        let mut manifest = format!("{{\"version\":1,\"toplevel\":\"{toplevel}\",\"paths\":[\n");
        for (number, path) in self.paths.iter().enumerate() {
            // Twenty each, so that the first reaches all.
            let references = (number * REFERENCES + 1..=number * REFERENCES + REFERENCES)
                .map(|number| number % PATHS);
            let references = references
                .map(|number| self.paths[number].clone())
                .collect();
            let found = nar::hash_path(&self.on_disk(path)).unwrap();
            let signature = key.sign(&fingerprint(path, &found.hash, found.size, &references));
            let references: Vec<String> = references
                .iter()
                .map(|path| format!("\"{path}\""))
                .collect();
            let end = if number + 1 == PATHS { "" } else { "," };
            writeln!(
                manifest,
                "{{\"path\":\"{path}\",\"narHash\":\"{}\",\"narSize\":{},\"references\":[{}],\"signatures\":[\"{signature}\"]}}{end}",
                found.hash,
                found.size,
                references.join(",")
            )
            .unwrap();
        }
        manifest += "]}\n";
        let line = format!("init={toplevel}/init noresume --\n");
        let configuration = format!(
            "version 1\nkey {}\nsigs-needed 1\non-failure halt\nmanifest image\nsysroot /sysroot\ninit /bin/init\n",
            key.public_key()
        );
        let initrd = self.at("initrd");
        fs::write(initrd.join(".touchstone/manifest"), manifest).unwrap();
        fs::write(initrd.join(".touchstone/command-lines"), &line).unwrap();
        fs::write(initrd.join("etc/touchstone/stage1.conf"), configuration).unwrap();
        fs::write(self.at("cmdline"), line).unwrap();
    }

    fn verify(&self, usage: &Path) -> Output {
        let visit = Root::at(self.at("initrd"))
            .visit()
            .bind_at(self.at("root/nix"), "/sysroot/nix")
            .bind_at(self.at("cmdline"), "/proc/cmdline")
            .usage(usage);
        let mut command = visit.command("/bin/touchstone-stage1").unwrap();
        command.arg("verify").output().unwrap()
    }
}

#[test]
fn a_hundred_thousand_files_are_verified_in_less_than_24_mebibytes() {
    let machine = Machine::new();
    machine.fill();
    machine.sign();
    let usage = machine.at("usage");
    let output = machine.verify(&usage);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let used: Usage = serde_json::from_slice(&fs::read(&usage).unwrap()).unwrap();
    println!(
        "{} bytes of memory, {:.2} s",
        used.peak_memory, used.seconds
    );
    assert!(used.peak_memory < MOST, "{} bytes", used.peak_memory);
    // It was really looked at.
    let changed = machine
        .on_disk(&machine.paths[1])
        .join("lib/folder/a-file-of-the-system-777.so");
    fs::write(&changed, "part-of-the-System-1.2.1").unwrap();
    let output = machine.verify(&usage);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    let expected = format!(
        "touchstone-stage1: {} is not what was signed",
        machine.paths[1]
    );
    assert!(said.contains(&expected), "{said}");
}
