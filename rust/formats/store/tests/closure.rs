//! The verdict on a closure: what is signed, what lies on the disk, and that nothing else counts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use touchstone_store::closure::{
    Proof, Refused, Registry, RegistryError, Trusted, file_name, verify,
};
use touchstone_store::manifest::VerifyError;
use touchstone_store::nar::{self, NarError};
use touchstone_store::{Entry, Manifest, NarInfo, PublicKey, SecretKey, StorePath, Trust};

/// A store of two paths, system → libc → libc, signed by one key, and what is said of them.
struct Store {
    folder: TempDir,
    system: StorePath,
    libc: StorePath,
    key: SecretKey,
}

fn path(digit: char, name: &str) -> StorePath {
    let hash = digit.to_string().repeat(32);
    StorePath::parse(&format!("/nix/store/{hash}-{name}")).unwrap()
}

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, &[seed; 32].into()).unwrap()
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

impl Store {
    fn new() -> Store {
        let store = Store {
            folder: tempfile::tempdir().unwrap(),
            system: path('1', "system"),
            libc: path('0', "libc"),
            key: key("cache", 1),
        };
        for folder in ["store", "valid"] {
            fs::create_dir(store.folder.path().join(folder)).unwrap();
        }
        for path in [&store.system, &store.libc] {
            let folder = store.on_disk(path);
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("file"), path.name()).unwrap();
            mode(&folder.join("file"), 0o444);
            mode(&folder, 0o755);
        }
        let libc = [store.libc.clone()];
        store.register(&store.system, &libc, &[&store.key]);
        store.register(&store.libc, &libc, &[&store.key]);
        store
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn on_disk(&self, path: &StorePath) -> PathBuf {
        self.store().join(path.base_name())
    }

    fn file(&self, path: &StorePath) -> PathBuf {
        self.folder.path().join("valid").join(file_name(path))
    }

    fn register(&self, path: &StorePath, references: &[StorePath], keys: &[&SecretKey]) {
        let nar = nar::hash_path(&self.on_disk(path)).unwrap();
        let mut entry = Entry {
            path: path.clone(),
            nar_hash: nar.hash,
            nar_size: nar.size,
            references: references.iter().cloned().collect(),
            ca: None,
            signatures: BTreeSet::new(),
        };
        let fingerprint = entry.fingerprint();
        entry.signatures = keys.iter().map(|key| key.sign(&fingerprint)).collect();
        self.say(path, entry);
    }

    fn say(&self, file: &StorePath, entry: Entry) {
        let info = NarInfo::from(entry);
        fs::write(self.file(file), info.to_string()).unwrap();
    }

    fn registry(&self) -> Registry {
        Registry::folder(self.folder.path().join("valid"))
    }

    fn trust(&self) -> Trust {
        Trust::new(vec![self.key.public_key()], 1).unwrap()
    }

    fn refused(&self) -> Refused {
        let store = self.store();
        verify(
            &self.system,
            &self.registry(),
            &self.trust(),
            &store,
            &|_, _| {},
        )
        .unwrap_err()
    }
}

#[test]
fn a_closure_that_is_as_it_was_signed_is_verified() {
    let store = Store::new();
    let seen = std::sync::Mutex::new((0, 0));
    let progress = |done, total| {
        let mut seen = seen.lock().unwrap();
        *seen = (seen.0.max(done), total);
    };
    let verified = verify(
        &store.system,
        &store.registry(),
        &store.trust(),
        &store.store(),
        &progress,
    )
    .unwrap();
    assert_eq!(verified.paths().len(), 2);
    assert_eq!(verified.toplevel(), &store.system);
    let size = verified.nar_size();
    assert_eq!(*seen.lock().unwrap(), (size, size));
    // A manifest says the same.
    let known = store.registry().all().unwrap();
    let entries = known.into_iter().map(|info| info.entry);
    let manifest = Manifest::new(store.system.clone(), entries).unwrap();
    let by_manifest = Registry::manifest(&manifest);
    let trusted = |registry: &Registry| {
        Trusted::from_registry(&store.system, registry, &store.trust()).unwrap()
    };
    assert_eq!(trusted(&by_manifest), verified);
    // So does the folder of a binary cache, whose files have shorter names.
    for path in [&store.system, &store.libc] {
        let short = format!("{}.narinfo", path.hash_part());
        fs::rename(store.file(path), store.file(path).with_file_name(short)).unwrap();
    }
    assert_eq!(trusted(&store.registry()), verified);
    assert_eq!(store.registry().all().unwrap().len(), 2);
}

#[test]
fn what_is_to_be_hashed_is_what_was_signed_in_order() {
    let store = Store::new();
    let trusted = Trusted::from_registry(&store.system, &store.registry(), &store.trust()).unwrap();
    assert_eq!(trusted.toplevel(), &store.system);
    let known = store.registry().all().unwrap();
    let size: u64 = known.iter().map(|info| info.entry.nar_size).sum();
    assert_eq!(trusted.nar_size(), size);
    let expected = trusted.paths().iter();
    let expected = expected.map(|path| (&path.path, &path.nar_hash, path.nar_size, &path.proof));
    let listed = known.iter().map(|info| &info.entry);
    let listed = listed.map(|entry| (&entry.path, &entry.nar_hash, entry.nar_size, &Proof::Nar));
    assert_eq!(expected.collect::<Vec<_>>(), listed.collect::<Vec<_>>());
}

#[test]
fn every_path_that_is_reached_must_be_signed_by_enough_different_keys() {
    let store = Store::new();
    store.register(
        &store.libc,
        std::slice::from_ref(&store.libc),
        &[&key("other", 2)],
    );
    let refused = store.refused();
    assert!(
        matches!(&refused, Refused::Signatures(VerifyError::TooFewSignatures { path, good: 0, needed: 1 }) if *path == store.libc),
        "{refused}"
    );
    // One key under two names is one key.
    let again = key("again", 1);
    let keys: Vec<PublicKey> = [&store.key, &again].map(SecretKey::public_key).to_vec();
    assert!(matches!(
        Trust::new(keys.clone(), 2),
        Err(VerifyError::TooFewKeys {
            needed: 2,
            distinct: 1
        })
    ));
    assert!(matches!(Trust::new(keys, 0), Err(VerifyError::NoneNeeded)));
}

#[test]
fn a_reference_that_was_left_out_of_the_registry_breaks_the_signature() {
    let store = Store::new();
    let mut entry = store.registry().get(&store.system).unwrap().unwrap().entry;
    entry.references.clear();
    store.say(&store.system, entry);
    assert!(matches!(
        store.refused(),
        Refused::Signatures(VerifyError::TooFewSignatures { path, .. }) if path == store.system
    ));
}

#[test]
fn what_is_unknown_is_named_with_who_refers_to_it() {
    let store = Store::new();
    fs::remove_file(store.file(&store.libc)).unwrap();
    assert!(matches!(
        store.refused(),
        Refused::Incomplete { path, missing } if path == store.system && missing == store.libc
    ));
    fs::remove_file(store.file(&store.system)).unwrap();
    assert!(matches!(store.refused(), Refused::Unknown(path) if path == store.system));
}

#[test]
fn a_file_of_another_path_is_refused() {
    let store = Store::new();
    fs::copy(store.file(&store.libc), store.file(&store.system)).unwrap();
    assert!(matches!(
        store.refused(),
        Refused::Registry(RegistryError::OtherPath { found, .. }) if found == store.libc
    ));
    fs::write(store.file(&store.system), "StorePath").unwrap();
    assert!(matches!(
        store.refused(),
        Refused::Registry(RegistryError::Malformed { .. })
    ));
}

#[test]
fn what_the_disk_has_otherwise_is_refused_and_of_several_the_first_is_named() {
    let store = Store::new();
    for path in [&store.system, &store.libc] {
        let file = store.on_disk(path).join("file");
        mode(&file, 0o644);
        fs::write(&file, "changed").unwrap();
    }
    let refused = store.refused();
    assert!(
        matches!(&refused, Refused::Content { path, found_size, .. } if *path == store.libc && *found_size > 0),
        "{refused}"
    );
    fs::remove_dir_all(store.on_disk(&store.libc)).unwrap();
    let refused = store.refused();
    assert!(
        matches!(&refused, Refused::Nar(NarError::Read { path, .. }) if *path == store.on_disk(&store.libc)),
        "{refused}"
    );
}

#[test]
fn rights_that_no_hash_covers_are_refused() {
    for (wrong, fact) in [
        (0o4444, "set-user-ID"),
        (0o2444, "set-user-ID"),
        (0o464, "others than its owner"),
        (0o446, "others than its owner"),
    ] {
        let store = Store::new();
        mode(&store.on_disk(&store.libc).join("file"), wrong);
        // The hash is the same.
        let refused = store.refused();
        assert!(matches!(&refused, Refused::Nar(NarError::Metadata { .. })));
        assert!(refused.to_string().contains(fact), "{refused}");
    }
    let store = Store::new();
    mode(&store.on_disk(&store.libc), 0o775);
    assert!(matches!(
        store.refused(),
        Refused::Nar(NarError::Metadata { .. })
    ));
    let store = Store::new();
    mode(&store.store(), 0o777);
    let refused = store.refused().to_string();
    assert!(refused.contains("everybody"), "{refused}");
}

#[test]
fn a_registry_that_is_not_there_knows_nothing() {
    let nowhere = Registry::folder("/no/such/folder");
    assert!(nowhere.get(&path('1', "system")).unwrap().is_none());
    assert!(nowhere.all().unwrap().is_empty());
}

#[test]
fn a_path_with_two_files_is_what_the_file_of_the_registry_says_of_it_however_it_is_asked_for() {
    let store = Store::new();
    let registered = store.registry().get(&store.libc).unwrap().unwrap();
    let mut other = registered.clone();
    other.entry.signatures = BTreeSet::new();
    let short = format!("{}.narinfo", store.libc.hash_part());
    let short = store.folder.path().join("valid").join(short);
    fs::write(&short, other.to_string()).unwrap();
    let said = |registry: Registry| {
        let all = registry.all().unwrap();
        let all = all.into_iter().find(|info| info.entry.path == store.libc);
        (registry.get(&store.libc).unwrap(), all)
    };
    let both = Some(registered);
    assert_eq!(said(store.registry()), (both.clone(), both));
    fs::remove_file(store.file(&store.libc)).unwrap();
    let both = Some(other);
    assert_eq!(said(store.registry()), (both.clone(), both));
}
