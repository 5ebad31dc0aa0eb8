//! A small store that is made by hand, signed by a key of the test, and machines that take from it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;

use data_encoding::BASE64;
use touchstone_store::closure::{REGISTRY_DIR, file_name};
use touchstone_store::{Entry, NarInfo, PublicKey, SecretKey, StorePath, nar};

use crate::support::Work;

/// The root whose store is made: `library`, and `system` that refers to it and to itself.
pub const THERE: &str = "there";

pub struct Made {
    pub work: Work,
    pub key: SecretKey,
    pub library: StorePath,
    pub system: StorePath,
}

pub fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, &[seed; 32].into()).unwrap()
}

/// The text of a key that [`key`] made, as Nix writes it.
pub fn secret(key: &SecretKey, seed: u8) -> String {
    let bytes = [[seed; 32], *key.public_key().contents()].concat();
    format!("{}:{}", key.name(), BASE64.encode(&bytes))
}

pub fn path(digit: char, name: &str) -> StorePath {
    let hash = digit.to_string().repeat(32);
    StorePath::parse(&format!("/nix/store/{hash}-{name}")).unwrap()
}

impl Made {
    pub fn new() -> Made {
        let made = Made {
            work: Work::new(),
            key: key("cache", 1),
            library: path('1', "library"),
            system: path('0', "system"),
        };
        let library = made.on_disk(THERE, &made.library);
        fs::create_dir_all(library.join("lib/empty")).unwrap();
        fs::write(library.join("lib/library.so"), [7; 200_000]).unwrap();
        fs::write(library.join("run"), "a program").unwrap();
        fs::set_permissions(library.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
        symlink("lib/library.so", library.join("link")).unwrap();
        fs::write(made.on_disk(THERE, &made.system), "the system").unwrap();
        made.register(&made.library, &[], &[&made.key]);
        let references = [made.library.clone(), made.system.clone()];
        made.register(&made.system, &references, &[&made.key]);
        made
    }

    /// Says of a path of the store what is there, signed.
    pub fn register(&self, path: &StorePath, references: &[StorePath], keys: &[&SecretKey]) {
        let found = nar::hash_path(&self.on_disk(THERE, path)).unwrap();
        let mut entry = Entry {
            path: path.clone(),
            nar_hash: found.hash,
            nar_size: found.size,
            references: references.iter().cloned().collect(),
            ca: None,
            signatures: BTreeSet::new(),
        };
        let fingerprint = entry.fingerprint();
        entry.signatures = keys.iter().map(|key| key.sign(&fingerprint)).collect();
        self.say(THERE, entry);
    }

    /// Writes an entry into a root's registry.
    pub fn say(&self, root: &str, entry: Entry) {
        let file = self.registered(root, &entry.path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let info = NarInfo::from(entry);
        fs::write(file, info.to_string()).unwrap();
    }

    /// What a root's registry says of a path.
    pub fn said(&self, root: &str, path: &StorePath) -> NarInfo {
        let file = self.registered(root, path);
        NarInfo::read(&fs::read(file).unwrap()).unwrap()
    }

    pub fn store(&self, root: &str) -> PathBuf {
        self.work.path(root).join("nix/store")
    }

    pub fn on_disk(&self, root: &str, path: &StorePath) -> PathBuf {
        let store = self.store(root);
        fs::create_dir_all(&store).unwrap();
        store.join(path.base_name())
    }

    pub fn valid(&self, root: &str) -> PathBuf {
        let valid = REGISTRY_DIR.trim_start_matches('/');
        self.work.path(root).join(valid)
    }

    pub fn registered(&self, root: &str, path: &StorePath) -> PathBuf {
        self.valid(root).join(file_name(path))
    }

    /// Writes the stream of the whole closure.
    pub fn export(&self, file: &str) {
        self.export_with(&["--output", file]);
    }

    pub fn export_with(&self, words: &[&str]) {
        let system = self.system.to_string();
        let all = [&["closure", "export", "--root", THERE, &system], words].concat();
        self.work.done(all);
    }

    /// `touchstone closure import` into a root, trusting the key of the test.
    pub fn import(&self, root: &str, words: &[&str]) -> Output {
        let key = self.key.public_key();
        self.import_by(&key, root, words)
    }

    pub fn import_by(&self, key: &PublicKey, root: &str, words: &[&str]) -> Output {
        let key = key.to_string();
        let fixed = ["closure", "import", "--json", "--root", root];
        let all = [&fixed, &["--trusted-public-key", &key][..], words].concat();
        self.work.touchstone(all)
    }

    /// The answer of an import that must end well.
    pub fn imported(&self, root: &str, words: &[&str]) -> serde_json::Value {
        let output = self.import(root, words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What an import that must be refused says; nothing of it may be left in the root.
    pub fn refused(&self, root: &str, words: &[&str]) -> String {
        // The empty folder itself is made, and a stage comes and goes in it.
        let paths = || snapshot(&self.store(root)).split_off(1);
        fs::create_dir_all(self.store(root)).unwrap();
        let before = paths();
        let output = self.import(root, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("[closure.refused]"), "{said}");
        assert!(said.contains("help: "), "{said}");
        assert_eq!(paths(), before, "{said}");
        said
    }
}

/// What a file is besides its content: mode, time, length, inode number and the time of its last change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub path: PathBuf,
    pub mode: u32,
    pub modified: (i64, i64),
    pub length: u64,
    pub inode: u64,
    pub changed: (i64, i64),
}

/// Everything below a folder, by its path in it; nothing where there is no folder.
pub fn snapshot(folder: &Path) -> Vec<Facts> {
    let mut facts = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(at) = waiting.pop() {
        let Ok(found) = fs::symlink_metadata(&at) else {
            continue;
        };
        if found.is_dir() {
            let entries = fs::read_dir(&at).unwrap();
            waiting.extend(entries.map(|entry| entry.unwrap().path()));
        }
        facts.push(Facts {
            path: at.strip_prefix(folder).unwrap().to_owned(),
            mode: found.mode(),
            modified: (found.mtime(), found.mtime_nsec()),
            length: found.len(),
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
        });
    }
    facts.sort_by(|one, other| one.path.cmp(&other.path));
    facts
}
