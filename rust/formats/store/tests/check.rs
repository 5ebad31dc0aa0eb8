//! The engine: what a store holds against what it must hold.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::fs::{self, File};
use std::num::NonZero;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tempfile::TempDir;
use touchstone_store::closure::{
    Checked, Progress, Refused, Registry, Settings, Store, Trusted, check, lies,
};
use touchstone_store::nar::{self, NarError};
use touchstone_store::{Entry, NarInfo, SecretKey, StorePath, Trust};

/// A mounted root with a store of a system and what it refers to.
struct Root {
    folder: TempDir,
    paths: Vec<StorePath>,
}

fn settings(threads: usize) -> Settings {
    let threads = NonZero::new(threads);
    Settings { threads }
}

fn path(number: usize) -> StorePath {
    let hash = format!("{number:032}");
    StorePath::parse(&format!("/nix/store/{hash}-part-{number}")).unwrap()
}

impl Root {
    /// A store of as many paths, the first of which is the toplevel and refers to all others.
    fn of(count: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("nix/store")).unwrap();
        let root = Root {
            folder,
            paths: (0..count).map(path).collect(),
        };
        for (number, path) in root.paths.iter().enumerate() {
            let folder = root.on_disk(path);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("file"), vec![b'x'; number * 1000]).unwrap();
        }
        root
    }

    fn on_disk(&self, path: &StorePath) -> PathBuf {
        let store = self.folder.path().join("nix/store");
        store.join(path.base_name())
    }

    fn file(&self, number: usize) -> PathBuf {
        self.on_disk(&self.paths[number]).join("file")
    }

    fn store(&self) -> Store {
        Store::below(self.folder.path()).unwrap()
    }

    /// What is there now, signed.
    fn trusted(&self) -> Trusted {
        let key = SecretKey::from_seed("cache", &[1; 32].into()).unwrap();
        let known = self.paths.iter().enumerate().map(|(number, path)| {
            let nar = nar::hash_path(&self.on_disk(path)).unwrap();
            let references = if number == 0 { &self.paths[1..] } else { &[] };
            let mut entry = Entry {
                path: path.clone(),
                nar_hash: nar.hash,
                nar_size: nar.size,
                references: references.iter().cloned().collect(),
                ca: None,
                signatures: [].into(),
            };
            entry.signatures = [key.sign(&entry.fingerprint())].into();
            NarInfo {
                entry,
                deriver: None,
                archive: None,
            }
        });
        let trust = Trust::new(vec![key.public_key()], 1).unwrap();
        Trusted::from_registry(&self.paths[0], &Registry::known(known), &trust).unwrap()
    }

    fn refused(&self, trusted: &Trusted) -> Refused {
        check(&self.store(), trusted, &Settings::default(), &|_| {}).unwrap_err()
    }
}

#[test]
fn a_closure_that_is_as_it_was_signed_passes_with_any_number_of_threads() {
    let root = Root::of(40);
    let trusted = root.trusted();
    let nar_size = trusted.nar_size();
    for threads in [1, 2, 7, 64] {
        let most = Mutex::new((0, 0));
        let tell = |progress: Progress| {
            let mut most = most.lock().unwrap();
            assert_eq!((progress.of_paths, progress.of_bytes), (40, nar_size));
            *most = (most.0.max(progress.paths), most.1.max(progress.bytes));
        };
        let checked = check(&root.store(), &trusted, &settings(threads), &tell).unwrap();
        assert_eq!(
            checked,
            Checked {
                paths: 40,
                nar_size
            }
        );
        assert_eq!(*most.lock().unwrap(), (40, nar_size));
    }
}

#[test]
fn it_ends_at_the_first_lie_and_all_lies_are_found_where_they_are_asked_for() {
    let root = Root::of(20);
    let trusted = root.trusted();
    fs::write(root.file(3), "changed").unwrap();
    fs::remove_file(root.file(7)).unwrap();
    fs::remove_dir_all(root.on_disk(&root.paths[11])).unwrap();
    fs::set_permissions(root.file(19), fs::Permissions::from_mode(0o4644)).unwrap();
    let found = lies(&root.store(), &trusted, &Settings::default(), &|_| {});
    let bad: Vec<_> = found
        .iter()
        .map(|(expected, _)| expected.path.clone())
        .collect();
    assert_eq!(bad, [3, 7, 11, 19].map(path));
    assert!(matches!(found[0].1, Refused::Content { .. }));
    assert!(matches!(found[1].1, Refused::Content { .. }));
    assert!(matches!(found[2].1, Refused::Nar(NarError::Read { .. })));
    assert!(matches!(
        found[3].1,
        Refused::Nar(NarError::Metadata { .. })
    ));
    // One thread begins with the largest, and looks no further than the lie.
    let done = Mutex::new(0);
    let tell = |progress: Progress| *done.lock().unwrap() = progress.paths;
    let refused = check(&root.store(), &trusted, &settings(1), &tell).unwrap_err();
    assert!(refused.to_string().contains("part-19"), "{refused}");
    assert_eq!(*done.lock().unwrap(), 0);
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let root = Root::of(3);
    let trusted = root.trusted();
    let file = File::options().write(true).open(root.file(1)).unwrap();
    // What is not written takes no room, and would be read for hours.
    file.set_len(1 << 42).unwrap();
    let refused = root.refused(&trusted);
    assert!(
        matches!(&refused, Refused::Longer { path, .. } if *path == root.paths[1]),
        "{refused}"
    );
}

#[test]
fn a_directory_of_more_names_than_were_signed_is_refused() {
    let root = Root::of(3);
    let trusted = root.trusted();
    for number in 0..2000 {
        fs::write(root.on_disk(&root.paths[1]).join(number.to_string()), "").unwrap();
    }
    let refused = root.refused(&trusted);
    assert!(
        matches!(&refused, Refused::Longer { path, .. } if *path == root.paths[1]),
        "{refused}"
    );
}

#[test]
fn a_link_on_the_way_to_the_store_is_refused() {
    let root = Root::of(2);
    let trusted = root.trusted();
    let at = |name: &str| root.folder.path().join(name);
    let moved: [(&str, &str, &Path); 3] = [
        // Beside it, and where an initrd would find it, but not the system that it mounts.
        ("nix/store", "nix/real", Path::new("real")),
        ("nix", "other", &at("other")),
        ("nix", "other", Path::new("other")),
    ];
    for (name, real, target) in moved {
        fs::rename(at(name), at(real)).unwrap();
        symlink(target, at(name)).unwrap();
        let refused = Store::below(root.folder.path()).unwrap_err();
        assert!(
            matches!(&refused, NarError::Read { path, .. } if *path == at(name)),
            "{refused}"
        );
        assert!(refused.to_string().contains("symbolic link"), "{refused}");
        fs::remove_file(at(name)).unwrap();
        fs::rename(at(real), at(name)).unwrap();
    }
    assert!(check(&root.store(), &trusted, &settings(1), &|_| {}).is_ok());
}

#[test]
fn a_folder_that_everybody_may_write_to_is_no_store() {
    for name in ["", "nix", "nix/store"] {
        let root = Root::of(1);
        let folder = root.folder.path().join(name);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let refused = Store::below(root.folder.path()).unwrap_err();
        assert!(refused.to_string().contains("everybody"), "{refused}");
    }
    let missing = Store::below(Path::new("/no/such/root")).unwrap_err();
    assert!(missing.to_string().starts_with("/no/such/root"));
}

#[test]
fn a_group_may_write_to_the_store_and_to_no_folder_above_it() {
    for (name, may) in [("", false), ("nix", false), ("nix/store", true)] {
        let root = Root::of(1);
        let folder = root.folder.path().join(name);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o1775)).unwrap();
        match Store::below(root.folder.path()) {
            Ok(_) => assert!(may, "{name}"),
            Err(refused) => {
                assert!(
                    !may && refused.to_string().contains("its group"),
                    "{refused}"
                );
            }
        }
    }
}

#[test]
fn an_access_list_on_the_way_to_the_store_is_refused() {
    // Version 2; owner rwx, user 1000 rwx, group r-x, mask r-x (so that the mode stays 755), others r-x.
    let entries: [(u16, u16, u32); 5] = [
        (1, 7, !0),
        (2, 7, 1000),
        (4, 5, !0),
        (16, 5, !0),
        (32, 5, !0),
    ];
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, who) in entries {
        list.extend([tag.to_le_bytes(), rights.to_le_bytes()].concat());
        list.extend(who.to_le_bytes());
    }
    for attribute in ["system.posix_acl_access", "system.posix_acl_default"] {
        for name in ["", "nix", "nix/store"] {
            let root = Root::of(1);
            let folder = root.folder.path().join(name);
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(&folder, attribute, &list, flags).unwrap();
            let refused = Store::below(root.folder.path()).unwrap_err();
            assert!(refused.to_string().contains(attribute), "{refused}");
        }
    }
}

#[test]
fn what_is_beside_the_closure_is_not_looked_at() {
    let root = Root::of(4);
    let trusted = root.trusted();
    let store = root.folder.path().join("nix/store");
    for number in 0..1000 {
        fs::write(store.join(format!("{number}-junk")), "junk").unwrap();
    }
    assert!(check(&root.store(), &trusted, &Settings::default(), &|_| {}).is_ok());
}

#[test]
fn a_path_that_became_a_link_to_itself_elsewhere_is_refused() {
    let root = Root::of(2);
    let trusted = root.trusted();
    let (there, elsewhere) = (
        root.on_disk(&root.paths[1]),
        root.folder.path().join("copy"),
    );
    fs::rename(&there, &elsewhere).unwrap();
    symlink(&elsewhere, &there).unwrap();
    assert!(matches!(root.refused(&trusted), Refused::Content { .. }));
}
