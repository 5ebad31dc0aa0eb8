//! Holes 9 and 10: where the key lies, and what the initrd has to carry.

use std::fs;
use std::process::{Command, Output};

use touchstone_harness::inputs;

use crate::trial::{Trial, changed, recorded};

/// `touchstone closure sign`, the static program.
fn sign(trial: &Trial) -> Output {
    let program = trial.inputs.touchstone.as_ref().unwrap();
    let mut command = Command::new(program);
    command.args(["closure", "sign", "--key", "one.secret", "--root", "root"]);
    command.args(["--output", "manifest", &trial.closure.toplevel]);
    command.current_dir(trial.folder.path()).output().unwrap()
}

#[test]
fn hole_9_what_was_changed_is_signed_with_the_rest() {
    let trial = Trial::unsigned();
    let path = trial.path("many-0-o1");
    let file = trial.closure.on_host(&path).join("share/library");
    let before = fs::read(&file).unwrap();
    changed(&file, "whatever an attacker likes");
    // Nix signs what its database says, and looks at no file.
    let paths = trial.closure.paths().unwrap();
    trial.closure.sign("one", &paths).unwrap();
    recorded(9, "signs, exit status 0");

    let refused = sign(&trial);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&path) && said.contains("is not what was signed"),
        "{said}"
    );
    assert!(!trial.folder.path().join("manifest").exists());
    // The system as it was built is signed, it alone.
    changed(&file, before);
    assert!(sign(&trial).status.success());
    let manifest = fs::read_to_string(trial.folder.path().join("manifest")).unwrap();
    assert_eq!(manifest.matches("\"path\":").count(), paths.len());
}

#[test]
fn hole_10_the_initrd_carries_nix_and_sqlite() {
    let inputs = inputs();
    // The program and its own libraries, in the root where this Nix is; not what they need of others.
    let root = inputs.trixie().path().join("usr");
    let mut files = vec![root.join("bin/nix")];
    let mut folders = vec![root.join("lib")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let (kind, path) = entry
                .map(|entry| (entry.file_type().unwrap(), entry.path()))
                .unwrap();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let library = name.starts_with("libnix") || name.starts_with("libsqlite3");
            match (kind.is_dir(), kind.is_file() && library) {
                (true, _) => folders.push(path),
                (_, true) => files.push(path),
                _ => {}
            }
        }
    }
    let earlier: u64 = files
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    assert!(earlier > 12 << 20, "{earlier}");
    let stage1 = inputs.stage1.as_ref().unwrap();
    let size = fs::metadata(stage1).unwrap().len();
    assert!(size <= 1 << 20, "{size}");
    recorded(10, "at most 1 MiB");
}
