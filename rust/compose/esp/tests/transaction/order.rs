//! In which order things are done.

use std::fs;

use touchstone_esp::{Entry, Observed, Plan, Trust, Verified, transact};

use crate::watched::Watched;
use crate::world::{
    bytes, counted, desired, file, folder, install, install_on, path, read, uki, write,
};

fn positions(steps: &[String], start: &str) -> Vec<usize> {
    let found = steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.starts_with(start));
    found.map(|(number, _)| number).collect()
}

#[test]
fn everything_is_staged_and_synced_before_anything_is_published_and_collected_last() {
    let root = folder();
    install_on(root.path(), &desired(&[1, 2], None, "loader 1\n")).unwrap();
    let watched = Watched::open(root.path());
    let mut after = desired(&[2, 3], None, "loader 2\n");
    after.artifacts = vec![file("EFI/nixos/0123-initrd", "initrd")];
    install(&watched, &after).unwrap();

    let steps = watched.notes.steps.borrow();
    let staged = positions(&steps, "sync_file");
    let renamed = positions(&steps, "rename");
    let exchanged = positions(&steps, "exchange");
    let removed = positions(&steps, "remove");
    assert_eq!(
        (staged.len(), renamed.len(), exchanged.len()),
        (6, 2, 4),
        "{steps:#?}"
    );
    let published = renamed.iter().chain(&exchanged);
    assert!(published.clone().min() > staged.last());
    assert!(
        steps[*staged.last().unwrap()..*published.clone().min().unwrap()]
            .contains(&"sync".to_owned())
    );
    let commit = *published.max().unwrap();
    assert_eq!(steps[commit + 1], "sync");
    assert!(removed.iter().all(|step| *step > commit + 1), "{steps:#?}");
    assert_eq!(steps.last().unwrap(), "sync");
}

#[test]
fn policies_come_first_then_what_entries_name_then_entries_then_the_loader_one_copy_at_a_time() {
    let root = folder();
    let watched = Watched::open(root.path());
    let mut desired = desired(&[1], None, "loader\n");
    desired.artifacts = vec![file("EFI/nixos/0123-initrd", "initrd")];
    install(&watched, &desired).unwrap();
    let steps = watched.changes();
    let first = steps
        .iter()
        .position(|step| step.starts_with("rename"))
        .unwrap();
    let order = [
        "EFI/nixos/policy.json",
        "sync",
        "EFI/nixos/0123-initrd",
        "sync",
        "EFI/Linux/nixos-1-00000000000000000000000000000001.efi",
        "sync",
        "EFI/systemd/systemd-bootx64.efi",
        "sync",
        "EFI/BOOT/BOOTX64.EFI",
        "sync",
        "loader/loader.conf",
        "sync",
    ];
    let is: Vec<&str> = steps[first..]
        .iter()
        .map(|step| step.rsplit(' ').next().unwrap())
        .collect();
    assert_eq!(is, order);
}

#[test]
fn entries_go_before_what_they_name() {
    let root = folder();
    let mut desired = desired(&[1], None, "loader\n");
    desired.artifacts = vec![file("EFI/nixos/0123-initrd", "initrd")];
    desired.entries.push(Entry {
        path: path("loader/entries/nixos-2-0123.conf"),
        content: bytes("initrd /EFI/nixos/0123-initrd\n"),
        tries: None,
    });
    install_on(root.path(), &desired).unwrap();
    let watched = Watched::open(root.path());
    install(&watched, &crate::world::desired(&[1], None, "loader\n")).unwrap();
    let removed = [
        "remove loader/entries/nixos-2-0123.conf",
        "remove EFI/nixos/0123-initrd",
        "sync",
    ];
    assert_eq!(watched.changes(), removed);
}

#[test]
fn foreign_files_are_never_touched() {
    let root = folder();
    let foreign = [
        "EFI/Microsoft/Boot/bootmgfw.efi",
        "EFI/Linux/arch.efi",
        "EFI/Linux/NIXIE.EFI",
        "EFI/memtest86/memtest.efi",
        "loader/entries/fedora.conf",
        "loader/entries.srel",
        "loader/random-seed",
        "loader/keys/auto/db.auth",
        "nixos-1.efi",
        "NvVars",
    ];
    for name in foreign {
        write(root.path(), name, name.as_bytes());
    }
    install_on(root.path(), &desired(&[1, 2], None, "loader\n")).unwrap();
    install_on(root.path(), &desired(&[2, 3], None, "loader\n")).unwrap();
    for name in foreign {
        assert_eq!(read(root.path(), name), name.as_bytes());
    }
    assert!(!root.path().join(uki(1)).exists());
}

#[test]
fn nothing_is_collected_while_it_might_be_a_generations_that_could_not_be_read() {
    let root = folder();
    install_on(root.path(), &desired(&[1, 2], None, "loader\n")).unwrap();
    let mut after = desired(&[2], None, "loader\n");
    after.collect = false;
    assert!(
        !matches!(install_on(root.path(), &after), Ok(true) if !root.path().join(uki(1)).exists())
    );
    assert!(root.path().join(uki(1)).exists());
    after.collect = true;
    after.keep = vec![path(&uki(1))];
    install_on(root.path(), &after).unwrap();
    assert!(root.path().join(uki(1)).exists());
    after.keep.clear();
    install_on(root.path(), &after).unwrap();
    assert!(!root.path().join(uki(1)).exists());
}

#[test]
fn an_entry_is_kept_whatever_its_counter_and_a_folder_with_all_that_is_in_it() {
    let root = folder();
    install_on(root.path(), &desired(&[1, 2], Some(3), "loader\n")).unwrap();
    fs::rename(
        root.path().join(counted(1, "+3")),
        root.path().join(counted(1, "+2-1")),
    )
    .unwrap();
    write(root.path(), "EFI/nixos/.extra-files/memtest", b"");
    write(root.path(), "EFI/nixos/old/deep/kernel.efi", b"old");
    let mut after = desired(&[2], Some(3), "loader\n");
    after.keep = vec![path(&uki(1)), path("EFI/nixos/.extra-files")];
    install_on(root.path(), &after).unwrap();
    assert!(root.path().join(counted(1, "+2-1")).exists());
    assert!(root.path().join("EFI/nixos/.extra-files/memtest").exists());
    assert!(
        !root.path().join("EFI/nixos/old").exists(),
        "garbage, and the folders that it leaves empty"
    );
}

#[test]
fn progress_ends_at_the_sum_of_all_bytes() {
    #[derive(Default)]
    struct Heard(Vec<String>, (u64, u64));
    impl touchstone_esp::Progress for Heard {
        fn phase(&mut self, name: &str) {
            self.0.push(name.to_owned());
        }
        fn bytes(&mut self, done: u64, total: u64) {
            assert!(done > self.1.0 && done <= total);
            self.1 = (done, total);
        }
    }
    let (root, desired, mut heard) = (folder(), desired(&[1], None, "loader\n"), Heard::default());
    let fs = crate::world::real(root.path());
    let observed = Observed::look(&fs, &desired).unwrap();
    let mut digests = Verified::default().digests("/boot", Trust::default());
    let plan = Plan::make(&fs, &desired, &observed, &mut digests).unwrap();
    transact(&[(&fs, &plan)], &mut heard).unwrap();
    assert_eq!(heard.1.0, heard.1.1);
    assert_eq!(heard.0.first().unwrap(), "writing");
}
