//! Names: FAT does not tell upper from lower case, makes short ones itself, and has no links.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use touchstone_esp::fs::Real;
use touchstone_esp::{Content, Desired, FileSystem, Refusal};

use crate::world::{
    desired, everything, file, folder, install_on, path, plan_of, read, real, write,
};

fn refused(root: &Path, desired: &Desired) -> Refusal {
    let was = everything(root);
    let refusal = plan_of(&real(root), desired).unwrap_err();
    assert_eq!(everything(root), was);
    refusal
}

fn with(names: &[(&str, &str)]) -> Desired {
    let mut desired = desired(&[1], None, "loader\n");
    desired.fixed = names.iter().map(|(name, text)| file(name, text)).collect();
    desired
}

#[test]
fn two_files_of_one_name_are_refused() {
    let root = folder();
    for names in [
        [("EFI/memtest/a.efi", "one"), ("EFI/memtest/a.efi", "other")],
        [("EFI/memtest/a.efi", "one"), ("efi/Memtest/A.EFI", "one")],
        [("EFI/memtest", "one"), ("EFI/memtest/a.efi", "one")],
        [("EFI/Memtest/a.efi", "one"), ("EFI/memTEST", "one")],
    ] {
        let refusal = refused(root.path(), &with(&names));
        assert!(
            matches!(refusal, Refusal::Collision { .. }),
            "{names:?}: {refusal}"
        );
    }
    let twice = with(&[("EFI/memtest/a.efi", "one"), ("EFI/memtest/a.efi", "one")]);
    plan_of(&real(root.path()), &twice).unwrap();
}

#[test]
fn names_that_fat_makes_itself_and_names_of_unfinished_files_are_refused() {
    let root = folder();
    for name in [
        "EFI/MEMTES~1.EFI",
        "EFI/LONGNA~1/a.efi",
        "EFI/nixos-stage-1.tmp",
    ] {
        let refusal = refused(root.path(), &with(&[(name, "one")]));
        assert!(
            matches!(refusal, Refusal::Reserved { .. }),
            "{name}: {refusal}"
        );
    }
    let refusal = refused(root.path(), &with(&[("EFI/Größe.efi", "one")]));
    assert!(matches!(refusal, Refusal::NotAscii { .. }), "{refusal}");
}

#[test]
fn an_entry_is_desired_without_its_counter() {
    let (root, mut counted) = (folder(), desired(&[1], Some(3), "loader\n"));
    counted.entries[0].path = path("EFI/Linux/nixos-1-0123+3.efi");
    let refusal = refused(root.path(), &counted);
    assert!(matches!(refusal, Refusal::Counted { .. }), "{refusal}");
}

#[test]
fn a_file_of_four_gibibytes_is_refused() {
    let (root, mut large) = (folder(), with(&[("EFI/large", "x")]));
    large.fixed[0].content = Content::Copy {
        source: "/nowhere".into(),
        size: 1 << 32,
        sha256: [0; 32],
    };
    let refusal = refused(root.path(), &large);
    assert!(
        matches!(
            refusal,
            Refusal::Large {
                size: 0x1_0000_0000,
                ..
            }
        ),
        "{refusal}"
    );
}

#[test]
fn folders_are_used_with_the_case_that_they_have() {
    let root = folder();
    write(root.path(), "efi/boot/bootx64.efi", b"old");
    install_on(root.path(), &desired(&[1], None, "loader\n")).unwrap();
    assert_eq!(
        read(root.path(), "efi/boot/bootx64.efi"),
        b"loader\n".repeat(100)
    );
    assert!(root.path().join("efi/Linux").exists());
    assert!(!root.path().join("EFI").exists());
    assert!(!install_on(root.path(), &desired(&[1], None, "loader\n")).unwrap());
}

#[test]
fn a_file_system_that_tells_upper_from_lower_case_is_refused_when_it_shows() {
    let root = folder();
    write(root.path(), "EFI/BOOT/BOOTX64.EFI", b"one");
    write(root.path(), "EFI/BOOT/bootx64.efi", b"other");
    let refusal = refused(root.path(), &desired(&[1], None, "loader\n"));
    assert!(matches!(refusal, Refusal::SameName { .. }), "{refusal}");
}

#[test]
fn what_is_in_the_way_is_refused() {
    let root = folder();
    fs::create_dir_all(root.path().join("loader/loader.conf")).unwrap();
    let refusal = refused(root.path(), &desired(&[1], None, "loader\n"));
    assert!(
        matches!(
            refusal,
            Refusal::InTheWay {
                what: "a folder",
                ..
            }
        ),
        "{refusal}"
    );

    let root = folder();
    write(root.path(), "EFI", b"a file");
    let refusal = refused(root.path(), &desired(&[1], None, "loader\n"));
    assert!(
        matches!(refusal, Refusal::InTheWay { what: "a file", .. }),
        "{refusal}"
    );
}

#[test]
fn links_are_refused_and_never_followed() {
    let (root, outside) = (folder(), folder());
    write(outside.path(), "secret", b"secret");
    symlink(outside.path(), root.path().join("EFI")).unwrap();
    let refusal = plan_of(&real(root.path()), &desired(&[1], None, "loader\n")).unwrap_err();
    assert!(matches!(refusal, Refusal::InTheWay { .. }), "{refusal}");

    let fs = real(root.path());
    assert!(fs.list(Some(&path("EFI"))).is_err());
    assert!(fs.open(&path("EFI/secret")).is_err());
    assert!(fs.create(&path("EFI/new")).is_err());
    assert!(fs.create_folder(&path("EFI/new")).is_err());
    assert!(fs.remove(&path("EFI/secret")).is_err());
    symlink(outside.path().join("secret"), root.path().join("link")).unwrap();
    assert!(fs.open(&path("link")).is_err());
    assert!(fs.create(&path("link")).is_err());
    fs.remove(&path("link")).unwrap();
    assert_eq!(read(outside.path(), "secret"), b"secret");
}

#[test]
fn links_inside_are_not_followed_either() {
    let root = folder();
    write(root.path(), "EFI/a", b"a");
    symlink("EFI", root.path().join("loader")).unwrap();
    let fs = real(root.path());
    assert!(fs.list(Some(&path("EFI"))).is_ok());
    assert!(fs.list(Some(&path("loader"))).is_err());
    assert!(fs.open(&path("loader/a")).is_err());
}

/// Such as an ESP at /boot/efi in an XBOOTLDR at /boot.
#[test]
fn another_file_system_that_is_mounted_inside_is_not_entered() {
    let fs = real(Path::new("/"));
    assert!(fs.list(Some(&path("proc"))).is_err());
    assert!(fs.open(&path("proc/version")).is_err());
}

#[test]
fn pipes_and_devices_are_no_files() {
    let root = folder();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path().join("loader"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(real(root.path()).open(&path("loader")).is_err());
    let refusal = plan_of(&real(root.path()), &desired(&[1], None, "loader\n")).unwrap_err();
    assert!(matches!(refusal, Refusal::InTheWay { .. }), "{refusal}");
}

#[test]
fn a_rename_never_replaces_and_never_leaves_its_folder() {
    let root = folder();
    write(root.path(), "a/one", b"one");
    write(root.path(), "a/other", b"other");
    fs::create_dir(root.path().join("b")).unwrap();
    let fs = real(root.path());
    assert!(fs.rename(&path("a/one"), &path("a/other")).is_err());
    assert!(fs.rename(&path("a/one"), &path("b/one")).is_err());
    fs.exchange(&path("a/one"), &path("a/other")).unwrap();
    assert_eq!(read(root.path(), "a/one"), b"other");
    assert!(fs.create(&path("a/one")).is_err());
}

#[test]
fn what_cannot_be_opened_is_named() {
    assert!(Real::open(Path::new("/nowhere")).is_err());
    let root = folder();
    write(root.path(), "file", b"");
    assert!(Real::open(&root.path().join("file")).is_err());
}
