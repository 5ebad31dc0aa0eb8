//! What interrupted runs and lost power leave, and what is done about it.

use std::fs;

use touchstone_esp::{Desired, FileSystem, Observed, Plan, Trust, Verified, Warning};

use crate::watched::Watched;
use crate::world::{
    counted, desired, everything, file, folder, install, install_on, path, read, real, uki, write,
};

fn warnings(root: &std::path::Path, desired: &Desired) -> Vec<Warning> {
    let fs = real(root);
    let observed = Observed::look(&fs, desired).unwrap();
    let mut digests = Verified::default().digests(fs.name(), Trust::default());
    let plan = Plan::make(&fs, desired, &observed, &mut digests).unwrap();
    plan.warnings().to_vec()
}

#[test]
fn what_an_interrupted_run_left_goes_before_anything_is_written() {
    let (root, desired) = (folder(), desired(&[1], None, "loader\n"));
    write(
        root.path(),
        "EFI/Linux/nixos-stage-0.tmp",
        b"half of a kernel",
    );
    write(root.path(), "EFI/BOOT/NIXOS-~1.TMP", b"half of a loader");
    let watched = Watched::open(root.path());
    install(&watched, &desired).unwrap();
    let changes = watched.changes();
    assert_eq!(changes[0], "remove EFI/BOOT/NIXOS-~1.TMP");
    assert_eq!(changes[1], "remove EFI/Linux/nixos-stage-0.tmp");
    assert_eq!(changes[2], "sync");
    let expected = folder();
    install_on(expected.path(), &desired).unwrap();
    assert_eq!(everything(root.path()), everything(expected.path()));
}

#[test]
fn a_leftover_that_may_share_its_clusters_with_a_wanted_file_stays_with_it() {
    let desired = desired(&[1], Some(3), "loader\n");
    for name in [
        "EFI/Linux/nixos-stage-7.tmp",
        "EFI/Linux/NIXOS-~1.EFI",
        &counted(1, "+2-1"),
    ] {
        let root = folder();
        install_on(root.path(), &desired).unwrap();
        let content = read(root.path(), &counted(1, "+3"));
        write(root.path(), name, &content);
        let warnings = warnings(root.path(), &desired);
        assert!(warnings[0].to_string().contains("fsck.fat"), "{warnings:?}");
        assert!(!install_on(root.path(), &desired).unwrap());
        assert_eq!(read(root.path(), name), content);
        assert_eq!(read(root.path(), &counted(1, "+3")), content);
    }
}

#[test]
fn a_leftover_goes_when_fsck_has_parted_it_from_the_wanted_file() {
    let (root, desired) = (folder(), desired(&[1], Some(3), "loader\n"));
    install_on(root.path(), &desired).unwrap();
    write(root.path(), "EFI/Linux/nixos-stage-7.tmp", b"");
    assert!(warnings(root.path(), &desired).is_empty());
    install_on(root.path(), &desired).unwrap();
    assert!(!root.path().join("EFI/Linux/nixos-stage-7.tmp").exists());
}

#[test]
fn files_that_may_share_their_clusters_go_together_after_everything_is_written() {
    let root = folder();
    install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
    let content = read(root.path(), &counted(1, "+3"));
    write(root.path(), "EFI/Linux/nixos-stage-7.tmp", &content);
    let watched = Watched::open(root.path());
    install(&watched, &desired(&[2], Some(3), "loader\n")).unwrap();
    let changes = watched.changes();
    let removed = changes.iter().filter(|step| step.contains("remove "));
    assert!(removed.clone().all(|step| step.contains("nixos-stage-")));
    assert_eq!(
        removed.count(),
        4,
        "two names of an entry, and what two replaced files held"
    );
    // What a crash leaves of it is a leftover, which goes before anything is written.
    let aside = format!("rename {} EFI/Linux/nixos-stage-", counted(1, "+3"));
    let aside = changes.iter().position(|step| step.starts_with(&aside));
    let after = &changes[aside.unwrap() + 1..];
    assert_eq!(after[0], "sync");
    assert!(after[1].starts_with("remove"));
    assert!(changes[0].starts_with("create"), "{changes:?}");
    assert!(!root.path().join("EFI/Linux/nixos-stage-7.tmp").exists());
}

#[test]
fn generations_of_the_same_content_are_not_taken_for_one_file() {
    let (root, mut desired) = (folder(), desired(&[1, 2], None, "loader\n"));
    desired.entries[0].content = desired.entries[1].content.clone();
    install_on(root.path(), &desired).unwrap();
    desired.entries.remove(0);
    assert!(warnings(root.path(), &desired).is_empty());
    install_on(root.path(), &desired).unwrap();
    assert!(!root.path().join(uki(1)).exists());
    assert!(root.path().join(uki(2)).exists());
}

#[test]
fn what_a_damaged_file_held_goes_only_if_it_shares_with_nothing_that_stays() {
    let root = folder();
    let mut wanted = desired(&[1], None, "loader\n");
    wanted.artifacts = vec![file("EFI/nixos/0123-initrd", "initrd")];
    install_on(root.path(), &wanted).unwrap();
    write(root.path(), "EFI/nixos/0123-initrd", b"torn");
    // Somebody wants this one, and it holds the same.
    write(root.path(), "EFI/nixos/KEPT~1", b"torn");
    wanted.keep = vec![path("EFI/nixos/KEPT~1")];
    install_on(root.path(), &wanted).unwrap();
    assert_eq!(
        read(root.path(), "EFI/nixos/0123-initrd"),
        b"initrd".repeat(100)
    );
    let left = fs::read_dir(root.path().join("EFI/nixos")).unwrap();
    let stages = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("nixos-stage-")
    });
    assert_eq!(stages.count(), 1);
}

#[test]
fn a_damaged_or_truncated_or_longer_artifact_is_replaced() {
    for damage in [&b"torn"[..], b"", &[b'x'; 600]] {
        let root = folder();
        let mut desired = desired(&[1], None, "loader\n");
        desired.artifacts = vec![file("EFI/nixos/0123-initrd", "initrd")];
        install_on(root.path(), &desired).unwrap();
        write(root.path(), "EFI/nixos/0123-initrd", damage);
        assert!(install_on(root.path(), &desired).unwrap());
        assert_eq!(
            read(root.path(), "EFI/nixos/0123-initrd"),
            b"initrd".repeat(100)
        );
        assert!(!install_on(root.path(), &desired).unwrap());
    }
}
