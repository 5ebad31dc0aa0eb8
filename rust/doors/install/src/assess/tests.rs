use std::fs;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use touchstone_esp::fs::Real;

use super::*;

/// Partitions with entries on them.
struct Disk {
    folder: TempDir,
    volume: Real,
}

impl Disk {
    fn new(entries: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for kind in folders() {
            fs::create_dir_all(folder.path().join(kind)).unwrap();
        }
        for (path, content) in entries {
            fs::write(folder.path().join(path), content).unwrap();
        }
        let volume = Real::open(folder.path()).unwrap();
        Self { folder, volume }
    }

    /// Names of all entries, and of what else lies beside them.
    fn entries(&self) -> Vec<String> {
        let listed = |folder: &str| fs::read_dir(self.folder.path().join(folder)).unwrap();
        let all = folders().into_iter().flat_map(listed);
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }
}

/// The name of an entry of ours with this content.
fn ours(generation: u32, content: &str, count: &str, extension: &str) -> String {
    let digest = HEXLOWER.encode(&Sha256::digest(content));
    format!("nixos-{generation}-{}{count}.{extension}", &digest[..32])
}

fn image(generation: u32, content: &str, count: &str) -> String {
    format!("EFI/Linux/{}", ours(generation, content, count, "efi"))
}

fn counted(path: &str) -> Which {
    Which::Counted(EspPath::parse(path).unwrap())
}

fn marked(disk: &Disk, which: &Which, mark: Mark) -> Result<Change, AssessError> {
    assess(&[&disk.volume], which, mark)?.pop().unwrap()
}

#[test]
fn the_entry_that_booted_loses_its_counter_and_no_other_one_does() {
    let (second, first) = (image(2, "two", "+1-1"), image(1, "one", "+3"));
    let disk = Disk::new(&[
        (&second, "two"),
        (&first, "one"),
        ("EFI/Linux/arch+2.efi", "x"),
    ]);
    let change = marked(&disk, &counted(&second), Mark::Good).unwrap();
    assert_eq!(change.to.as_str(), image(2, "two", ""));
    let names = [
        "arch+2.efi".to_owned(),
        ours(1, "one", "+3", "efi"),
        ours(2, "two", "", "efi"),
    ];
    assert_eq!(disk.entries(), names);
    // Again, as at every boot: the boot loader's variable still has the old name.
    let again = marked(&disk, &counted(&second), Mark::Good).unwrap();
    assert_eq!((&again.from, &again.to), (&change.to, &change.to));
    assert_eq!(disk.entries(), names);
}

#[test]
fn an_entry_of_type_1_is_marked_like_an_image() {
    let entry = format!("loader/entries/{}", ours(3, "title NixOS", "+0-3", "conf"));
    let disk = Disk::new(&[(&entry, "title NixOS")]);
    marked(&disk, &counted(&entry), Mark::Good).unwrap();
    assert_eq!(disk.entries(), [ours(3, "title NixOS", "", "conf")]);
}

#[test]
fn a_bad_entry_has_no_attempt_left_and_keeps_those_that_were_made() {
    let path = image(2, "two", "+1-2");
    let disk = Disk::new(&[(&path, "two")]);
    marked(&disk, &counted(&path), Mark::Bad).unwrap();
    assert_eq!(disk.entries(), [ours(2, "two", "+0-2", "efi")]);
    let id = ours(2, "two", "", "efi");
    marked(&disk, &Which::Named(id.clone()), Mark::Good).unwrap();
    marked(&disk, &Which::Named(id.to_uppercase()), Mark::Bad).unwrap();
    assert_eq!(disk.entries(), [ours(2, "two", "+0", "efi")]);
}

#[test]
fn every_copy_of_the_partition_is_marked_whatever_its_counter_is() {
    let booted = Disk::new(&[(&image(2, "two", "+2-1"), "two")]);
    let mirror = Disk::new(&[(&image(2, "two", "+3"), "two")]);
    let empty = Disk::new(&[]);
    let volumes = [&empty.volume, &mirror.volume, &booted.volume];
    let which = counted(&image(2, "two", "+2-1"));
    let changes = assess(&volumes, &which, Mark::Bad).unwrap();
    assert_eq!(changes.len(), 2);
    for disk in [&booted, &mirror] {
        assert_eq!(disk.entries(), [ours(2, "two", "+0-1", "efi")]);
    }
}

#[test]
fn an_entry_of_somebody_else_is_marked_in_one_place() {
    let disks = [(); 2].map(|()| Disk::new(&[("EFI/Linux/arch+2-1.efi", "x")]));
    let volumes = disks.each_ref().map(|disk| &disk.volume);
    assess(&volumes, &counted("EFI/Linux/arch+2-1.efi"), Mark::Good).unwrap();
    assert_eq!(disks[0].entries(), ["arch.efi"]);
    assert_eq!(disks[1].entries(), ["arch+2-1.efi"]);
}

#[test]
fn a_damaged_entry_is_not_blessed() {
    let path = image(2, "two", "+2-1");
    let disk = Disk::new(&[(&path, "tw0")]);
    let refused = marked(&disk, &counted(&path), Mark::Good).unwrap_err();
    assert!(matches!(refused, AssessError::Damaged { .. }), "{refused}");
    assert_eq!(disk.entries(), [ours(2, "two", "+2-1", "efi")]);
    marked(&disk, &counted(&path), Mark::Bad).unwrap();
    assert_eq!(disk.entries(), [ours(2, "two", "+0-1", "efi")]);
}

#[test]
fn both_names_of_a_rename_that_power_ended_stay_and_are_told() {
    let (old, new) = (image(2, "two", "+2-1"), image(2, "two", ""));
    let disk = Disk::new(&[(&old, "two"), (&new, "two")]);
    let change = marked(&disk, &counted(&old), Mark::Good).unwrap();
    assert_eq!(change.beside, [EspPath::parse(&old).unwrap()]);
    assert_eq!(disk.entries().len(), 2);
    let refused = marked(&disk, &counted(&old), Mark::Bad)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("fsck.fat"), "{refused}");
}

#[test]
fn of_two_counters_the_one_that_was_started_is_meant() {
    let (before, started) = (image(2, "two", "+2-1"), image(2, "two", "+1-2"));
    let disk = Disk::new(&[(&before, "two"), (&started, "two")]);
    let change = marked(&disk, &counted(&started), Mark::Good).unwrap();
    assert_eq!(change.from.as_str(), started);
    let named = Disk::new(&[(&before, "two"), (&started, "two")]);
    let id = ours(2, "two", "", "efi");
    let refused = marked(&named, &Which::Named(id), Mark::Good);
    assert!(matches!(refused, Err(AssessError::Several { .. })));
}

#[test]
fn refuses_what_is_no_counted_entry() {
    let disk = Disk::new(&[("EFI/Linux/arch.efi", "x")]);
    for path in [
        "EFI/Linux/arch.efi",
        "EFI/Microsoft/a+1.efi",
        "arch+1.efi",
        "EFI/Linux/a+x.efi",
    ] {
        let refused = marked(&disk, &counted(path), Mark::Good);
        assert!(matches!(refused, Err(AssessError::NotCounted(_))), "{path}");
    }
    for name in ["", "arch", "../arch.efi", "EFI\\Linux\\arch.efi"] {
        let refused = marked(&disk, &Which::Named(name.to_owned()), Mark::Good);
        assert!(matches!(refused, Err(AssessError::Name(_))), "{name}");
    }
    let missing = marked(&disk, &counted("EFI/Linux/linux+2-1.efi"), Mark::Good);
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .contains("no boot entry linux.efi")
    );
    assert_eq!(disk.entries(), ["arch.efi"]);
}
