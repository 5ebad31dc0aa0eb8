//! A full disk is found before anything is written.

use touchstone_esp::fs::Room;
use touchstone_esp::{Refusal, TransactionError};

use crate::watched::Watched;
use crate::world::{Bad, desired, everything, file, folder, install, install_on, write};

const MEBIBYTE: u64 = 1 << 20;
const CLUSTER: u64 = 4096;

fn with(root: &std::path::Path, free: u64) -> Watched {
    let watched = Watched::open(root);
    let cluster = CLUSTER;
    watched.room.set(Some(Room { cluster, free }));
    watched
}

/// Five files and six folders of a cluster each, and one by which the root may grow.
const NEEDED: u64 = 12 * CLUSTER;

#[test]
fn clusters_folders_and_a_mebibyte_must_be_free() {
    let desired = desired(&[1], Some(3), "loader\n");
    let root = folder();
    let refused = install(&with(root.path(), 0), &desired).unwrap_err();
    let Bad::Refused(Refusal::Full {
        needed,
        reserve,
        free,
        garbage,
        ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!((needed, reserve, free, garbage), (NEEDED, MEBIBYTE, 0, 0));
    assert!(everything(root.path()).is_empty());

    let almost = with(root.path(), NEEDED + MEBIBYTE - 1);
    assert!(matches!(
        install(&almost, &desired),
        Err(Bad::Refused(Refusal::Full { .. }))
    ));
    assert!(almost.changes().is_empty());
    install(&with(root.path(), NEEDED + MEBIBYTE), &desired).unwrap();
}

#[test]
fn nothing_new_needs_no_room() {
    let root = folder();
    install_on(root.path(), &desired(&[1, 2], None, "loader\n")).unwrap();
    let mut fewer = desired(&[1, 2], None, "loader\n");
    fewer.entries.remove(0);
    assert!(install(&with(root.path(), 0), &fewer).unwrap());
    assert!(!install(&with(root.path(), 0), &fewer).unwrap());
}

#[test]
fn what_interrupted_runs_left_is_room() {
    let root = folder();
    write(
        root.path(),
        "EFI/Linux/nixos-stage-0.tmp",
        &vec![7; 1 << 20],
    );
    let watched = with(root.path(), NEEDED);
    let refused = install(&watched, &desired(&[1], Some(3), "loader\n")).unwrap_err();
    // The plan relies on the leftover; the wrapper tells of the same room after it is gone.
    assert!(
        matches!(refused, Bad::Failed(TransactionError::Undone(_))),
        "{refused:?}"
    );
    assert!(refused_text(&refused).contains("make room"));
    assert!(
        !watched
            .changes()
            .iter()
            .any(|step| step.starts_with("create"))
    );
}

fn refused_text(bad: &Bad) -> String {
    match bad {
        Bad::Refused(refusal) => refusal.to_string(),
        Bad::Failed(error) => error.to_string(),
    }
}

#[test]
fn a_refusal_tells_what_garbage_holds() {
    let root = folder();
    install_on(root.path(), &desired(&[1, 2], None, "loader\n")).unwrap();
    let refused = install(
        &with(root.path(), MEBIBYTE),
        &desired(&[2, 3], None, "loader\n"),
    )
    .unwrap_err();
    let Bad::Refused(refusal @ Refusal::Full { garbage, .. }) = &refused else {
        panic!("{refused:?}");
    };
    // The first generation, and what two files held that are replaced.
    assert_eq!(*garbage, 3 * CLUSTER);
    assert!(
        refusal.to_string().contains("keep fewer generations"),
        "{refusal}"
    );
}

#[test]
fn long_names_make_folders_grow() {
    let root = folder();
    let mut many = desired(&[1], None, "loader\n");
    let long = "x".repeat(240);
    many.artifacts = (0..20)
        .map(|number| file(&format!("EFI/nixos/{number:02}-{long}"), "x"))
        .collect();
    let refused = install(&with(root.path(), 0), &many).unwrap_err();
    let Bad::Refused(Refusal::Full { needed, .. }) = refused else {
        panic!("{refused:?}");
    };
    // 20 files, each with 1 + 19 slots of 32 bytes, and 1 + 2 while it is written: 14 720 bytes are four clusters instead of one.
    assert_eq!(needed, NEEDED + 20 * CLUSTER + 3 * CLUSTER);
}
