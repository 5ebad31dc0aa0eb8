//! Holes 6 and 7, which are open: these tests say how far the check goes, and fail when the page no longer says so.

use std::fs::{self, File, Permissions};
use std::io::BufReader;
use std::num::NonZero;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use touchstone_harness::nix::output;
use touchstone_store::closure::{Progress, Settings, Store, Trusted, check};
use touchstone_store::{PublicKey, Trust};

use crate::trial::{Trial, changed, line, recorded};

/// What is signed, read from the manifest in the initrd.
fn trusted(trial: &Trial) -> Trusted {
    let manifest = trial.folder.path().join("initrd/.touchstone/manifest");
    let manifest = BufReader::new(File::open(manifest).unwrap());
    let key = PublicKey::parse(&trial.key).unwrap();
    let trust = Trust::new(vec![key], 1).unwrap();
    let toplevel = trial.closure.toplevel.parse().unwrap();
    Trusted::from_manifest(manifest, &trust, &toplevel, None).unwrap()
}

/// A regular file of a path.
fn file_in(path: &Path) -> PathBuf {
    let mut folders = vec![path.to_owned()];
    loop {
        let at = folders.pop().unwrap();
        let kind = fs::symlink_metadata(&at).unwrap().file_type();
        match (kind.is_file(), kind.is_dir()) {
            (true, _) => return at,
            (_, true) => {
                let entries = fs::read_dir(at).unwrap();
                folders.extend(entries.map(|entry| entry.unwrap().path()));
            }
            _ => {}
        }
    }
}

#[test]
fn hole_6_is_open_what_changes_once_it_was_hashed_is_not_noticed() {
    let trial = Trial::new();
    let trusted = trusted(&trial);
    // One thread, and the largest first: the rest is still to come when this one changes.
    let mut paths: Vec<_> = trusted.paths().iter().collect();
    paths.sort_by_key(|path| std::cmp::Reverse(path.nar_size));
    assert!(paths.len() > 1);
    let first = paths[0].path.as_str();
    let file = file_in(&trial.closure.on_host(first));
    let once = Once::new();
    let tell = |progress: Progress| {
        if progress.paths == 1 {
            once.call_once(|| changed(&file, "whatever an attacker likes"));
        }
    };
    let store = Store::below(&trial.closure.root()).unwrap();
    let threads = NonZero::new(1);
    let checked = check(&store, &trusted, &Settings { threads }, &tell).unwrap();
    assert!(once.is_completed());
    assert_eq!(checked.paths, paths.len());
    recorded(6, "open");
    // Only who asks again is told.
    trial.refused(&[first, "is not what was signed"]);
}

#[test]
fn hole_7_is_open_an_old_system_that_was_signed_still_passes() {
    let mut trial = Trial::new();
    assert_eq!(trial.refusal(), None);
    let old = trial.closure.toplevel.clone();

    // The next system, by the same key, with an image of its own.
    let system = trial.folder.path().join("newer");
    fs::create_dir(&system).unwrap();
    fs::write(system.join("nixos-version"), "99.11").unwrap();
    fs::write(system.join("init"), "without the weaknesses").unwrap();
    fs::set_permissions(system.join("init"), Permissions::from_mode(0o755)).unwrap();
    let mut add = trial.closure.command("nix-store").unwrap();
    add.arg("--add").arg(&system);
    let newer = output(add).unwrap().trim().to_owned();
    trial
        .closure
        .sign("one", std::slice::from_ref(&newer))
        .unwrap();
    trial.closure.toplevel = newer;
    trial.make_initrd();
    assert_eq!(trial.refusal(), None);
    // Its image starts no other system.
    trial.write("proc/cmdline", &line(&old));
    trial.refused(&["the command line is none of the signed ones"]);

    // Whoever puts the old image back starts the old system: no image, manifest or signature says how old a system may be.
    trial.closure.toplevel = old;
    trial.make_initrd();
    assert_eq!(trial.refusal(), None);
    assert_eq!(trial.earlier().status, Some(0));
    recorded(7, "open");
}
