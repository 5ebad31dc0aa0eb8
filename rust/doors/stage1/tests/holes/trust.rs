//! Holes 1 to 4: what is believed without a signature, or by too few.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use touchstone_harness::nix::output;
use touchstone_store::nar::hash_path;
use touchstone_store::{Manifest, PublicKey, Trust};

use crate::trial::{Trial, changed, fooled, line, recorded};

#[test]
fn hole_1_init_names_a_signed_path_that_is_no_system() {
    let trial = Trial::new();
    assert_eq!(trial.refusal(), None);
    let other = trial.path("many-0-o1");
    fooled(
        1,
        &trial.closure.verify_path(&other, &[&trial.key], 1).unwrap(),
    );

    // Whoever can change the command line alone.
    trial.write("proc/cmdline", &line(&other));
    trial.refused(&["the command line is none of the signed ones", &other]);
    // Even where the image was signed so.
    trial.write(".touchstone/command-lines", &format!("{}\n", line(&other)));
    trial.refused(&[&other, "is no NixOS system"]);
}

#[test]
fn hole_2_no_signature_is_needed() {
    let trial = Trial::unsigned();
    fooled(2, &trial.closure.verify(&[&trial.key], 0).unwrap());

    trial.make_initrd();
    trial.refused(&["0 good signatures by trusted keys where 1 are needed"]);
    trial.configure(&format!("key {}\nsigs-needed 0\n", trial.key));
    trial.refused(&["sigs-needed"]);
    let key = PublicKey::parse(&trial.key).unwrap();
    assert!(Trust::new(vec![key], 0).is_err());
}

#[test]
fn hole_3_one_key_under_two_names_counts_twice() {
    let trial = Trial::new();
    let alias = trial
        .closure
        .rename_key("one", "alias", "touchstone-test-alias");
    let alias = alias.unwrap();
    let paths = trial.closure.paths().unwrap();
    trial.closure.sign("alias", &paths).unwrap();
    fooled(3, &trial.closure.verify(&[&trial.key, &alias], 2).unwrap());

    trial.make_initrd();
    trial.configure(&format!("key {}\nkey {alias}\nsigs-needed 2\n", trial.key));
    trial.refused(&["sigs-needed"]);
    // With one more key the configuration is a good one, and the alias counts for nothing.
    let other = trial.closure.key("other", "touchstone-test-other").unwrap();
    trial.configure(&format!(
        "key {}\nkey {alias}\nkey {other}\nsigs-needed 2\n",
        trial.key
    ));
    trial.refused(&["1 good signatures by trusted keys where 2 are needed"]);
}

#[test]
fn hole_4_what_is_named_by_its_content_needs_no_signature() {
    let trial = Trial::new();
    // Anybody can make such a path, and it may well look like a system.
    let evil = trial.folder.path().join("evil");
    fs::create_dir(&evil).unwrap();
    fs::write(evil.join("nixos-version"), "25.11").unwrap();
    fs::write(evil.join("init"), "whatever an attacker likes").unwrap();
    fs::set_permissions(evil.join("init"), Permissions::from_mode(0o755)).unwrap();
    let mut add = trial.closure.command("nix-store").unwrap();
    add.arg("--add").arg(&evil);
    let evil = output(add).unwrap().trim().to_owned();
    fooled(
        4,
        &trial.closure.verify_path(&evil, &[&trial.key], 1).unwrap(),
    );

    trial.write("proc/cmdline", &line(&evil));
    trial.refused(&["the command line is none of the signed ones", &evil]);
    trial.write(".touchstone/command-lines", &format!("{}\n", line(&evil)));
    let mut entry = trial.entries().remove(0);
    entry.path = evil.parse().unwrap();
    let found = hash_path(&trial.closure.on_host(&evil)).unwrap();
    (entry.nar_hash, entry.nar_size) = (found.hash, found.size);
    entry.references.clear();
    entry.signatures.clear();
    let manifest = Manifest::new(entry.path.clone(), [entry]).unwrap();
    trial.write(".touchstone/manifest", &manifest.to_json());
    trial.refused(&[
        &evil,
        "0 good signatures by trusted keys where 1 are needed",
    ]);
}

#[test]
fn hole_4_what_is_named_by_its_content_counts_where_something_signed_refers_to_it_and_it_is_that_content()
 {
    let trial = Trial::new();
    let text = trial.path("-text-0");
    let listed = |change: &dyn Fn(&mut touchstone_store::Entry)| {
        let mut entries = trial.entries();
        let of_text = |entry: &&mut touchstone_store::Entry| entry.path.as_str() == text;
        change(entries.iter_mut().find(of_text).unwrap());
        let toplevel = trial.closure.toplevel.parse().unwrap();
        let manifest = Manifest::new(toplevel, entries).unwrap();
        trial.write(".touchstone/manifest", &manifest.to_json());
    };
    // Nobody signed it; its name is the proof.
    listed(&|entry| entry.signatures.clear());
    assert_eq!(trial.refusal(), None);
    // Other content, and a manifest that says so.
    let file = trial.closure.on_host(&text);
    changed(&file, "another text\n");
    let found = hash_path(&file).unwrap();
    listed(&|entry| {
        entry.signatures.clear();
        (entry.nar_hash, entry.nar_size) = (found.hash, found.size);
    });
    trial.refused(&[&text, "is not what its name was made of"]);
    recorded(4, "recomputed");
}
