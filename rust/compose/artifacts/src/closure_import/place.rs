//! The store of a machine or image, what is registered in it, and the lock that one import holds.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use touchstone_store::closure::{REGISTRY_DIR, Registry};
use touchstone_store::nar::{self, NarDigest};
use touchstone_store::{NarInfo, STORE_DIR, StorePath};

use super::error::{ImportError, failed};
use crate::Progress;

/// Nix' database: where it is, Nix decides what is valid.
const DATABASE: &str = "/nix/var/nix/db/db.sqlite";
const LOCK: &str = "/nix/var/touchstone/lock";
/// Where registrations are written before they count, in the registry's file system.
const PENDING: &str = "/nix/var/touchstone/pending";
/// Where paths are unpacked, in the store's file system. No store path begins with a dot.
const STAGE: &str = "/nix/store/.touchstone-import";

/// The folders of one store.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// `/nix/store`.
    pub(crate) store: PathBuf,
    /// `/nix/var/touchstone/valid`.
    pub(crate) valid: PathBuf,
    pub(super) stage: PathBuf,
    pub(super) pending: PathBuf,
    database: PathBuf,
    lock: PathBuf,
}

impl Place {
    /// The folders below a root, `/` when none is given.
    pub(crate) fn below(root: Option<&Path>) -> Self {
        let root = root.unwrap_or(Path::new("/"));
        let below = |path: &str| root.join(path.trim_start_matches('/'));
        Self {
            store: below(STORE_DIR),
            valid: below(REGISTRY_DIR),
            stage: below(STAGE),
            pending: below(PENDING),
            database: below(DATABASE),
            lock: below(LOCK),
        }
    }

    /// What is registered.
    pub(crate) fn registry(&self) -> Registry {
        Registry::folder(&self.valid)
    }

    /// Refuses a store that belongs to Nix.
    pub(super) fn without_nix(&self) -> Result<(), ImportError> {
        match fs::symlink_metadata(&self.database) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // Something is there, whether it can be looked at or not.
            _ => Err(ImportError::NixDatabase(self.database.clone())),
        }
    }

    /// Makes the folders that are missing, and waits until no other import is at work.
    pub(super) fn lock(&self, progress: &dyn Progress) -> Result<File, ImportError> {
        for folder in [&self.store, &self.valid] {
            let mut builder = fs::DirBuilder::new();
            let made = builder.recursive(true).mode(0o755).create(folder);
            made.map_err(failed("making", folder))?;
        }
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).mode(0o644);
        let file = options.open(&self.lock);
        let file = file.map_err(failed("opening", &self.lock))?;
        let locked = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                progress.phase("waiting for another import to end");
                flock(&file, FlockOperation::LockExclusive)
            }
            other => other,
        };
        locked.map_err(|error| failed("locking", &self.lock)(error.into()))?;
        Ok(file)
    }

    /// Where a path lies on the disk.
    pub(crate) fn on_disk(&self, path: &StorePath) -> PathBuf {
        self.store.join(path.base_name())
    }

    /// Whether anything lies there.
    pub(super) fn occupied(&self, path: &StorePath) -> Result<bool, ImportError> {
        let file = self.on_disk(path);
        match fs::symlink_metadata(&file) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("looking at", file)(error)),
        }
    }

    /// Whether what lies there is what an entry says.
    pub(super) fn holds(&self, info: &NarInfo) -> Result<bool, ImportError> {
        let entry = &info.entry;
        let found = nar::hash_trusted(&self.on_disk(&entry.path))?;
        Ok(found == signed(info))
    }
}

/// The hash and size that are signed.
pub(crate) fn signed(info: &NarInfo) -> NarDigest {
    NarDigest {
        hash: info.entry.nar_hash,
        size: info.entry.nar_size,
    }
}
