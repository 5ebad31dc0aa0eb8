//! Holes 5 and 8: what the check does not look at.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use touchstone_harness::nix::output;
use touchstone_store::Manifest;

use crate::trial::{Trial, changed, fooled, recorded};

/// Takes a path out of what the database says of the system. Nix is fooled where it needs no signature (hole 2); a signature covers references.
fn cut(trial: &Trial, path: &str) {
    let row = format!("(select id from ValidPaths where path = '{path}')");
    let statement = format!("delete from Refs where reference = {row} and referrer != {row}");
    trial
        .closure
        .change_database(&trial.inputs, &statement)
        .unwrap();
    fooled(5, &trial.closure.verify(&[&trial.key], 0).unwrap());
    let signed = trial.earlier();
    assert!(!signed.untrusted.is_empty() && signed.otherwise.is_empty());
    recorded(
        5,
        "where one signature is needed, it calls what referred to it untrusted",
    );
}

#[test]
fn hole_5_the_disk_says_what_is_checked() {
    let trial = Trial::new();
    let library = trial.path("many-0-o1");
    let file = trial.closure.on_host(&library).join("share/library");
    changed(&file, "whatever an attacker likes");
    // Nix notices, as long as the database says that the path belongs to the system.
    let honest = trial.earlier();
    assert!(honest.otherwise.contains(&library), "{}", honest.said);
    cut(&trial, &library);

    // The signed manifest has the path all the same.
    trial.refused(&[&library, "is not what was signed"]);
    // A manifest without it is one that nobody signed.
    let entries = trial.entries();
    assert!(entries.iter().all(|entry| entry.path.as_str() != library));
    let toplevel = trial.closure.toplevel.parse().unwrap();
    let manifest = Manifest::new(toplevel, entries).unwrap();
    trial.write(".touchstone/manifest", &manifest.to_json());
    trial.refused(&["good signatures by trusted keys where 1 are needed"]);
}

#[test]
fn hole_5_a_path_that_is_reached_and_missing_is_refused() {
    let trial = Trial::new();
    let library = trial.path("many-0-o1");
    let away = trial.folder.path().join("away");
    fs::rename(trial.closure.on_host(&library), &away).unwrap();
    cut(&trial, &library);
    trial.refused(&[&library, "No such file"]);
}

#[test]
fn hole_8_what_no_nar_holds_gives_rights() {
    let trial = Trial::new();
    let path = trial.path("many-0-o1");
    let program = trial.closure.on_host(&path).join("bin/program");
    for (mode, fact) in [
        (0o4555, "set-user-ID"),
        (0o2555, "set-group-ID"),
        (0o557, "may be written to by others"),
    ] {
        fs::set_permissions(&program, Permissions::from_mode(mode)).unwrap();
        fooled(8, &trial.earlier());
        trial.refused(&[&path, fact]);
    }
    fs::set_permissions(&program, Permissions::from_mode(0o555)).unwrap();
    assert_eq!(trial.refusal(), None);
    // An access list that changes no mode: version 2; owner r-x, user 1000 r--, group r-x, mask r-x, others r-x.
    let entries: [(u16, u16, u32); 5] = [
        (1, 5, !0),
        (2, 4, 1000),
        (4, 5, !0),
        (16, 5, !0),
        (32, 5, !0),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, who) in entries {
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(who.to_le_bytes());
    }
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&program, "system.posix_acl_access", &list, flags).unwrap();
    fooled(8, &trial.earlier());
    trial.refused(&[&path, "system.posix_acl_access"]);
    recorded(8, "capabilities");
}

#[test]
fn hole_8_a_file_that_has_capabilities_gives_rights() {
    let trial = Trial::new();
    let path = trial.path("many-0-o1");
    let program = trial.closure.on_host(&path).join("bin/program");
    // CAP_SETUID, permitted and effective. Only root may give it, here that of a user namespace.
    let script = "import os, struct, sys\nos.setxattr(sys.argv[1], 'security.capability', struct.pack('<5I', 0x02000001, 1 << 7, 0, 0, 0))";
    let visit = trial.inputs.trixie().visit().bind(trial.folder.path());
    let mut command = visit.command("python3").unwrap();
    command.args(["-c", script]).arg(&program);
    output(command).unwrap();
    fooled(8, &trial.earlier());
    trial.refused(&[&path, "security.capability"]);
}

#[test]
fn hole_8_what_lies_beside_the_closure_does_not_matter() {
    let trial = Trial::new();
    let beside = trial
        .closure
        .root()
        .join("nix/store/0123456789abcdfghijklmnpqrsvwxyz-beside");
    fs::write(beside, "nothing that is signed refers to this").unwrap();
    assert_eq!(trial.refusal(), None);
}
