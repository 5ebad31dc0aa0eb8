//! The store of this machine: what lies in it, and what Nix' database says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use touchstone_nix_database::{DATABASE, Database, DatabaseError, Known};
use touchstone_store::{Entry, StoreFile, StorePath, nar};

use super::refuse::refuse;
use crate::policy::Origin;
use crate::protocol::Refusal;

/// Most links that are followed on the way to a file.
const LINKS: usize = 40;

/// A store and Nix' database of it.
#[derive(Debug, Clone)]
pub(in crate::judge) struct Store {
    /// The folder that holds `nix/store`.
    root: PathBuf,
    database: Database,
}

impl Store {
    /// The store whose `nix/store` and `nix/var/nix/db` lie in a folder: `/` is the machine's own.
    pub(in crate::judge) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            database: Database::at(&root.join(DATABASE.trim_start_matches('/'))),
        }
    }

    /// Where a path of the store is found on the disk.
    fn on_disk(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What the database says of these paths alone.
    pub(in crate::judge) fn entries(
        &self,
        paths: &BTreeSet<StorePath>,
    ) -> Result<BTreeMap<StorePath, Known>, Refusal> {
        self.database.entries(paths).map_err(unknown)
    }

    /// What the database says of these paths and of all that they refer to.
    pub(in crate::judge) fn reached(
        &self,
        roots: &BTreeSet<StorePath>,
    ) -> Result<BTreeMap<StorePath, Known>, Refusal> {
        self.database.reached(roots).map_err(unknown)
    }

    /// The whole content of a file that is a store path, which is no link and not longer than `limit`.
    pub(in crate::judge) fn read(&self, path: &StorePath, limit: u64) -> Result<Vec<u8>, Refusal> {
        self.read_file(&path.clone().into(), limit)
    }

    /// The same of a file below a store path.
    pub(in crate::judge) fn read_file(
        &self,
        file: &StoreFile,
        limit: u64,
    ) -> Result<Vec<u8>, Refusal> {
        let mut bytes = Vec::new();
        let opened = self.open(file)?;
        let read = opened.take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| unreadable(file, &error))?;
        match bytes.len() as u64 <= limit {
            true => Ok(bytes),
            false => Err(refuse(
                "store.file",
                format!("{file} has more than {limit} bytes"),
                "see whether this is the file that was meant",
            )),
        }
    }

    /// Opens a regular file; a link is none.
    pub(in crate::judge) fn open(&self, file: &StoreFile) -> Result<File, Refusal> {
        let path = self.on_disk(file.as_str());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = rustix::fs::openat(CWD, &path, flags, Mode::empty());
        let opened = opened.map_err(|error| unreadable(file, &error.into()))?;
        let stat = rustix::fs::fstat(&opened).map_err(|error| unreadable(file, &error.into()))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(File::from(opened)),
            _ => Err(unreadable(file, &io::Error::other("it is no regular file"))),
        }
    }

    /// Whether there is something of that name; a link is something.
    pub(in crate::judge) fn exists(&self, file: &StoreFile) -> Result<bool, Refusal> {
        match fs::symlink_metadata(self.on_disk(file.as_str())) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(unreadable(file, &error)),
        }
    }

    /// Whether somebody may execute a file.
    pub(in crate::judge) fn is_executable(&self, file: &StoreFile) -> Result<bool, Refusal> {
        use std::os::unix::fs::PermissionsExt;
        let metadata = self.open(file)?.metadata();
        let metadata = metadata.map_err(|error| unreadable(file, &error))?;
        Ok(metadata.permissions().mode() & 0o111 != 0)
    }

    /// Where a file of the store leads to, link by link, each within the store and to something that `valid` knows.
    ///
    /// # Errors
    /// [`Refusal`] when it leads out of the store, to a path that is not valid, in a circle, or nowhere.
    pub(in crate::judge) fn resolve(
        &self,
        file: &StoreFile,
        valid: impl Fn(&StorePath) -> bool,
    ) -> Result<StoreFile, Refusal> {
        let mut waiting = file.clone();
        for _ in 0..LINKS {
            if !valid(waiting.store_path()) {
                return Err(refuse(
                    "store.path",
                    format!(
                        "{file} leads to {}, which is none of the inputs (or no valid path)",
                        waiting.store_path()
                    ),
                    "make the path an input of the derivation that asks",
                ));
            }
            match self.first_link(&waiting)? {
                None => return Ok(waiting),
                Some(target) => {
                    waiting = StoreFile::parse(&target).map_err(|error| {
                        refuse(
                            "store.link",
                            format!("{file} leads out of the store: {error}"),
                            "let it lead to a file of the store",
                        )
                    })?;
                }
            }
        }
        Err(refuse(
            "store.link",
            format!("{file} leads through too many links"),
            "let it lead to a file",
        ))
    }

    /// Where a file goes on behind the first link on the way to it: an absolute path without `.` and `..`.
    fn first_link(&self, file: &StoreFile) -> Result<Option<String>, Refusal> {
        let root = file.store_path().as_str();
        let below = file.as_str().strip_prefix(root).unwrap_or_default();
        let mut at = root.to_owned();
        let mut rest = below.split('/').filter(|part| !part.is_empty());
        loop {
            let metadata = fs::symlink_metadata(self.on_disk(&at));
            let metadata = metadata.map_err(|error| unreadable(file, &error))?;
            if metadata.is_symlink() {
                let target = fs::read_link(self.on_disk(&at));
                let target = target.map_err(|error| unreadable(file, &error))?;
                let folder = at.rsplit_once('/').map_or("", |(folder, _)| folder);
                let target = joined(folder, &target.to_string_lossy()).ok_or_else(|| {
                    refuse(
                        "store.link",
                        format!("{file} leads through a link with `..` behind a name"),
                        "let it lead straight to a file of the store",
                    )
                })?;
                return Ok(Some(
                    rest.fold(target, |whole, part| format!("{whole}/{part}")),
                ));
            }
            let Some(part) = rest.next() else {
                return Ok(None);
            };
            at = format!("{at}/{part}");
        }
    }

    /// Hashes a path anew.
    ///
    /// # Errors
    /// [`Refusal`] when it is not what the entry says.
    pub(in crate::judge) fn rehash(&self, entry: &Entry) -> Result<(), Refusal> {
        let help = "somebody changed the store: run `nix-store --verify --check-contents`, and find out who";
        let path = &entry.path;
        let hashed = nar::hash_path(&self.on_disk(path.as_str()));
        let found = hashed.map_err(|error| refuse("store.changed", error.to_string(), help))?;
        match found.hash == entry.nar_hash && found.size == entry.nar_size {
            true => Ok(()),
            false => Err(refuse(
                "store.changed",
                format!(
                    "{path} is not what it was when it was built: its NAR hashes to {}, and not to {}",
                    found.hash, entry.nar_hash
                ),
                help,
            )),
        }
    }
}

/// Sees that a path comes from where it may.
///
/// # Errors
/// [`Refusal`].
pub(in crate::judge) fn comes_from(known: &Known, origin: &Origin) -> Result<(), Refusal> {
    let entry = &known.info.entry;
    let text = entry.fingerprint();
    let signed = origin.trusted_public_keys.iter().any(|key| {
        let mut signatures = entry.signatures.iter();
        signatures.any(|signature| key.verifies(&text, signature))
    });
    // Whoever may build here may add what is named by its content as well.
    let here = known.built_here || matches!(entry.addressed(), Some(Ok(_)));
    match signed || (origin.built_here && here) {
        true => Ok(()),
        false => Err(refuse(
            "store.origin",
            format!(
                "{} was neither signed by a key that the policy trusts for it, nor built here where that would do",
                entry.path
            ),
            "let it come from a cache whose key is in `trustedPublicKeys`, or build it here and allow `builtHere`",
        )),
    }
}

/// Where a link in a folder leads; nothing when it goes up behind a name, which could be a link itself. In `folder` no component is one.
fn joined(folder: &str, target: &str) -> Option<String> {
    let (mut at, mut down) = match target.starts_with('/') {
        true => (String::new(), false),
        false => (folder.to_owned(), false),
    };
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if down => return None,
            ".." => at.truncate(at.rfind('/').unwrap_or(0)),
            part => {
                down = true;
                at = format!("{at}/{part}");
            }
        }
    }
    Some(at)
}

fn unknown(error: DatabaseError) -> Refusal {
    let help = "see that Nix works on this machine, and that `store` of the policy is its folder";
    refuse("store.database", error.to_string(), help)
}

fn unreadable(file: &StoreFile, error: &io::Error) -> Refusal {
    let help = "see whether the path is still there, and build it again";
    refuse(
        "store.file",
        format!("{file} cannot be read: {error}"),
        help,
    )
}
