//! Many paths of one folder, one after the other, each as [`hash_trusted`](super::hash_trusted) looks at one.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use super::NarError;
use super::metadata::Guard;
use super::write::{Memory, Start, Walk};

/// Writes NARs of paths, with memory that is taken once.
pub(crate) struct Walker {
    memory: Memory,
    guard: Guard,
}

impl Walker {
    pub(crate) fn new() -> Self {
        Self {
            memory: Memory::new(),
            guard: Guard::new(),
        }
    }

    /// Writes the NAR of `name` in `folder` and returns its length in bytes; messages call it by the path `shown`.
    ///
    /// # Errors
    /// [`NarError::Write`] also where a directory has so many entries that the NAR would be longer than `most` bytes.
    pub(crate) fn nar<W: Write>(
        &mut self,
        folder: BorrowedFd<'_>,
        name: &str,
        shown: PathBuf,
        most: u64,
        out: &mut W,
    ) -> Result<u64, NarError> {
        let name = name.as_bytes();
        let walk = Walk::new(shown, out, Some(self.guard), &mut self.memory, most);
        walk.nar(Start { folder, name })
    }
}
