//! What a set-up used of the cache, and the removal of the rest.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cache::{self, Cache};
use crate::setup::Resolved;

/// The folders of the cache whose entries are made by a set-up alone. What fuzzing found and the tools that were built stay.
const FOLDERS: [&str; 7] = [
    "archives",
    "packages",
    "plugin-host",
    "python",
    "resolved",
    "roots",
    "tss2",
];

/// What apt has in the folder of archives beside packages: it makes them again when they are missing.
const OF_APT: [&str; 2] = ["lock", "partial"];

/// The entries of the cache that a set-up used.
#[derive(Debug, Default)]
pub(crate) struct Used(BTreeSet<PathBuf>);

impl Used {
    /// A folder that is whole by itself.
    pub fn folder(&mut self, folder: &Path) {
        self.0.insert(folder.to_owned());
    }

    /// What was resolved and unpacked.
    pub fn resolved(&mut self, record: &Path, resolved: &Resolved) {
        let record_folder = record.parent().unwrap_or(record);
        let archives = record_folder.with_file_name("archives");
        let files = resolved
            .packages
            .iter()
            .map(|package| archives.join(&package.file));
        self.0.extend(files);
        self.0.insert(record.to_owned());
        // A root lies in a folder of its own, which is the entry.
        self.0
            .extend(resolved.folder.ancestors().take(2).map(Path::to_owned));
    }

    /// Removes every entry that was not used; the answer is how many.
    pub fn prune(&self, cache: &Cache) -> Result<usize> {
        let mut removed = 0;
        for name in FOLDERS {
            for entry in fs::read_dir(cache.folder(name)?)? {
                let path = entry?.path();
                let of_apt = name == "archives" && OF_APT.iter().any(|file| path.ends_with(file));
                if !of_apt && !self.0.contains(&path) {
                    remove(&path).with_context(|| format!("removing {}", path.display()))?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// A folder is no longer complete as soon as its removal begins.
fn remove(path: &Path) -> Result<()> {
    if !path.is_dir() {
        return Ok(fs::remove_file(path)?);
    }
    cache::make_incomplete(path)?;
    Ok(fs::remove_dir_all(path)?)
}
