//! The cache folder: outside of the checkout, keyed by content, safe to delete at any time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

/// The name of the file that says that a folder of the cache is complete.
const MARKER: &str = ".complete";

/// The cache folder, locked for this process: two set-ups never write into it at once.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    _lock: File,
}

impl Cache {
    /// Opens the cache and waits until no other process sets it up.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub fn open() -> Result<Cache> {
        let root = location()?;
        fs::create_dir_all(&root).with_context(|| format!("making {}", root.display()))?;
        let lock = File::create(root.join("lock"))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            eprintln!("Waiting for another set-up of {} …", root.display());
            flock(&lock, FlockOperation::LockExclusive).context("locking the cache")?;
        }
        Ok(Cache { root, _lock: lock })
    }

    /// The cache folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder directly in the cache, made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.join(name);
        fs::create_dir_all(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(path)
    }
}

/// Where the cache is: `$TOUCHSTONE_CACHE`, else `touchstone` in `$XDG_CACHE_HOME` or `~/.cache`.
///
/// # Errors
/// When none of the three variables says where.
pub fn location() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(path) = set("TOUCHSTONE_CACHE") {
        return Ok(std::path::absolute(path)?);
    }
    if let Some(path) = set("XDG_CACHE_HOME") {
        return Ok(path.join("touchstone"));
    }
    match set("HOME") {
        Some(home) => Ok(home.join(".cache/touchstone")),
        None => bail!("neither TOUCHSTONE_CACHE nor HOME is set: set TOUCHSTONE_CACHE to a folder"),
    }
}

/// Whether the folder was filled completely.
#[must_use]
pub fn is_complete(folder: &Path) -> bool {
    folder.join(MARKER).exists()
}

/// Says that a folder is no longer filled completely.
///
/// # Errors
/// Those of the file system.
pub(crate) fn make_incomplete(folder: &Path) -> Result<()> {
    match fs::remove_file(folder.join(MARKER)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Fills a folder of the cache by `work`, or does nothing when it is complete. What an interrupted
/// run left is removed first; the marker is written last.
///
/// # Errors
/// Those of `work`, and of the file system.
pub fn complete(folder: &Path, work: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if is_complete(folder) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("removing the unfinished {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    work(folder)?;
    File::create(folder.join(MARKER))?.sync_all()?;
    Ok(())
}

/// A short key of what the parts say: the first 16 hexadecimal digits of their SHA-256.
pub fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut text = data_encoding::HEXLOWER.encode(&hash.finalize());
    text.truncate(16);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_folder_is_filled_again_and_a_complete_one_is_kept() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("root");
        let interrupted = complete(&folder, |at| {
            fs::write(at.join("half"), "")?;
            bail!("interrupted")
        });
        assert!(interrupted.is_err() && !is_complete(&folder));
        complete(&folder, |at| Ok(fs::write(at.join("whole"), "")?)).unwrap();
        assert!(folder.join("whole").exists() && !folder.join("half").exists());
        complete(&folder, |_| bail!("must not run again")).unwrap();
    }

    #[test]
    fn the_key_depends_on_where_parts_end() {
        assert_ne!(key(["ab", "c"]), key(["a", "bc"]));
        assert_eq!(key(["ab", "c"]).len(), 16);
    }
}
