//! Where entries of paths are found: a folder of `.narinfo` files, or a manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{self, CWD, FileType, Mode, OFlags};

use crate::narinfo::{self, NarInfoError};
use crate::{Manifest, NarInfo, StorePath};

/// Where a machine without Nix keeps what it knows of its valid paths: one file a path, see [`file_name`].
pub const REGISTRY_DIR: &str = "/nix/var/touchstone/valid";
const SUFFIX: &str = ".narinfo";

/// The name of a path's file in the registry: `<hash>-<name>.narinfo`.
pub fn file_name(path: &StorePath) -> String {
    format!("{}{SUFFIX}", path.base_name())
}

/// What is said of paths, and by no means true for being said: signatures are checked by whoever reads it.
#[derive(Debug, Clone)]
pub struct Registry {
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    Folder(PathBuf),
    Known(BTreeMap<StorePath, NarInfo>),
}

/// Why a registry does not say what it knows.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The folder or a file cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Read {
        /// The folder or file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no `.narinfo`.
    #[error("{} is no .narinfo: {source}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: NarInfoError,
    },
    /// A file is of another path than its name says.
    #[error("{} is of {found}: its name says another path", file.display())]
    OtherPath {
        /// The file.
        file: PathBuf,
        /// The path that it is of.
        found: StorePath,
    },
}

impl Registry {
    /// A folder of `.narinfo` files, named as the registry names them (`<hash>-<name>.narinfo`) or as binary caches do (`<hash>.narinfo`).
    pub fn folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::Folder(folder.into()),
        }
    }

    /// What a manifest says.
    pub fn manifest(manifest: &Manifest) -> Self {
        Self::known(manifest.entries().cloned().map(NarInfo::from))
    }

    /// Entries that somebody has read already. Of two of the same path the later one counts.
    pub fn known(known: impl IntoIterator<Item = NarInfo>) -> Self {
        let keyed = |info: NarInfo| (info.entry.path.clone(), info);
        Self {
            source: Source::Known(known.into_iter().map(keyed).collect()),
        }
    }

    /// What is said of a path, if anything is.
    ///
    /// # Errors
    /// [`RegistryError`] when a file is there and is not readable, not a `.narinfo` or of another path.
    pub fn get(&self, path: &StorePath) -> Result<Option<NarInfo>, RegistryError> {
        let folder = match &self.source {
            Source::Known(known) => return Ok(known.get(path).cloned()),
            Source::Folder(folder) => folder,
        };
        for name in [file_name(path), format!("{}{SUFFIX}", path.hash_part())] {
            let file = folder.join(name);
            let Some(info) = read(&file)? else { continue };
            if info.entry.path != *path {
                return Err(RegistryError::OtherPath {
                    file,
                    found: info.entry.path,
                });
            }
            return Ok(Some(info));
        }
        Ok(None)
    }

    /// All entries, in the order of their paths. A folder that is not there has none; files with other suffixes are left alone.
    ///
    /// # Errors
    /// [`RegistryError`] as of [`Registry::get`], for any file.
    pub fn all(&self) -> Result<Vec<NarInfo>, RegistryError> {
        let folder = match &self.source {
            Source::Known(known) => return Ok(known.values().cloned().collect()),
            Source::Folder(folder) => folder,
        };
        let mut found = BTreeMap::new();
        for name in names(folder)? {
            let file = folder.join(&name);
            let Some(info) = read(&file)? else { continue };
            let path = info.entry.path.clone();
            if name != file_name(&path) && name != format!("{}{SUFFIX}", path.hash_part()) {
                return Err(RegistryError::OtherPath { file, found: path });
            }
            // As `get` answers: the long name, which comes first here, goes before the short one.
            found.entry(path).or_insert(info);
        }
        Ok(found.into_values().collect())
    }
}

/// The `.narinfo` files of a folder.
fn names(folder: &Path) -> Result<BTreeSet<String>, RegistryError> {
    let failed = |source| RegistryError::Read {
        file: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        other => other.map_err(failed)?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        // What is no text is no name of a .narinfo.
        let name = name.into_string().unwrap_or_default();
        if name.ends_with(SUFFIX) {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Reads one file; a missing one is none.
fn read(file: &Path) -> Result<Option<NarInfo>, RegistryError> {
    let failed = |source| RegistryError::Read {
        file: file.to_owned(),
        source,
    };
    // NONBLOCK: opening a FIFO must not wait.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = match fs::openat(CWD, file, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        other => other.map_err(|error| failed(error.into()))?,
    };
    let stat = fs::fstat(&opened).map_err(|error| failed(error.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    let mut bytes = Vec::new();
    let mut limited = File::from(opened).take(narinfo::LIMIT as u64 + 1);
    limited.read_to_end(&mut bytes).map_err(failed)?;
    let info = NarInfo::read(&bytes).map_err(|source| RegistryError::Malformed {
        file: file.to_owned(),
        source,
    })?;
    Ok(Some(info))
}
