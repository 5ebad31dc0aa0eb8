//! Where things lie in an initrd.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The folders of a running initrd, all below one root: `/`, or a folder that looks like it.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        Self::at("/")
    }

    /// A folder that holds `proc`, `sys`, `etc`, `.touchstone`, `.extra` as an initrd does.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A file of the initrd, by its absolute path there.
    pub fn path(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let absolute = absolute.as_ref();
        self.root
            .join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// What a file holds; none where there is no such file.
    ///
    /// # Errors
    /// What the system answers, and [`io::ErrorKind::FileTooLarge`] beyond `limit` bytes.
    pub fn read(&self, absolute: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(absolute)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    /// The names in a folder, sorted; none where there is no such folder.
    ///
    /// # Errors
    /// What the system answers.
    pub fn names(&self, absolute: &str) -> io::Result<Option<Vec<std::ffi::OsString>>> {
        let entries = match std::fs::read_dir(self.path(absolute)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name());
        }
        names.sort();
        Ok(Some(names))
    }
}
