//! The handle by which an operation reaches files: it asks where each of them lies, and touches nothing else.

use std::io;
use std::path::{Path, PathBuf};

/// Where the files of a request lie, as far as the caller lets an operation at them.
///
/// Operations ask for every file by its whole name before they look at it or open it. A refusal ends the operation, whatever its
/// [`io::ErrorKind`], and is never asked about again; to `boot.verify`, which looks for what is wrong, it is a finding.
pub trait Files: Sync {
    /// Where the file or folder `path` lies, to be read. What is in a folder is asked for by itself.
    ///
    /// # Errors
    /// Why it cannot be read, which becomes the failure of the operation. [`io::ErrorKind::NotFound`] and
    /// [`io::ErrorKind::NotADirectory`] say that nothing is there, and are no failure where an operation asks whether something is.
    fn locate(&self, path: &Path) -> io::Result<PathBuf>;

    /// Where the output `path` is written: its folder exists, and lets a file or folder be made in it.
    ///
    /// # Errors
    /// Why it cannot be written, likewise.
    fn place(&self, output: &Path) -> io::Result<PathBuf>;
}

/// The files of this machine, each where it is named.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostFiles;

impl Files for HostFiles {
    fn locate(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn place(&self, output: &Path) -> io::Result<PathBuf> {
        Ok(output.to_owned())
    }
}
