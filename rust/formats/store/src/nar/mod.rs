//! NARs: the hash of a path as Nix sees it, computed straight from the file system; and archives, read strictly.
//!
//! A NAR ("Nix archive") holds what a store path *is*: regular files with their one executable bit, symbolic links, and directories
//! with their entries in byte order; neither owners nor times nor other mode bits. What it does not hold [`hash_trusted`] looks at as well.
//!
//! Source: E. Dolstra's thesis, figure 5.2; Nix manual, "Nix Archive (NAR) format".

mod ahead;
mod metadata;
mod names;
mod open;
mod out;
mod read;
mod trusted;
mod write;

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::NarHash;
use write::{Memory, Start, Walk};

pub(crate) use metadata::Guard;
pub use read::{Ignore, NAME_MAX, ReadError, Sink, TARGET_MAX, read};
pub(crate) use trusted::Walker;

/// Deepest nesting of directories that is followed: one open directory a level.
pub const MAX_DEPTH: usize = 256;

/// What a path's NAR hashes to, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NarDigest {
    /// SHA-256 of the NAR.
    pub hash: NarHash,
    /// Length of the NAR in bytes.
    pub size: u64,
}

/// Why a path has no NAR, or none that can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum NarError {
    /// The path is missing or cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A socket, FIFO or device: a store path holds none.
    #[error("{} is a {kind}: a store path holds regular files, symbolic links and directories only", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A file changed its kind or length while it was read.
    #[error("{} changed while it was read: nothing may write to a store path", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Directories nested more than [`MAX_DEPTH`] deep.
    #[error("{} lies more than {MAX_DEPTH} directories deep", path.display())]
    TooDeep {
        /// The directory.
        path: PathBuf,
    },
    /// What a NAR does not tell, and what would let somebody change the path or gain rights by it.
    #[error("{} {fact}: what a NAR does not hold was changed after the path was made", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fact: String,
    },
    /// The NAR could not be passed on.
    #[error("the NAR cannot be written: {0}")]
    Write(io::Error),
}

/// Hashes a path. A symbolic link is hashed as the link that it is.
pub fn hash_path(path: &Path) -> Result<NarDigest, NarError> {
    hash(path, None, &mut io::sink())
}

/// Hashes a path as [`hash_path`] does, and refuses what its hash does not cover: files with set-user-ID or set-group-ID bits, with
/// capabilities or access lists, that others may write to, or that belong to neither root nor the one who asks.
pub fn hash_trusted(path: &Path) -> Result<NarDigest, NarError> {
    hash(path, Some(Guard::new()), &mut io::sink())
}

/// Writes a path's NAR, and returns what it hashes to.
pub fn archive_path(path: &Path, out: &mut dyn Write) -> Result<NarDigest, NarError> {
    hash(path, None, out)
}

fn hash(path: &Path, guard: Option<Guard>, out: &mut dyn Write) -> Result<NarDigest, NarError> {
    let mut hasher = Hasher {
        state: Sha256::new(),
        out,
    };
    let size = walk(path, guard, &mut hasher, &mut Memory::new())?;
    Ok(NarDigest {
        hash: NarHash::new(hasher.state.finalize().into()),
        size,
    })
}

fn walk<W: Write>(
    path: &Path,
    guard: Option<Guard>,
    out: &mut W,
    memory: &mut Memory,
) -> Result<u64, NarError> {
    let start = Start {
        folder: rustix::fs::CWD,
        name: path.as_os_str().as_bytes(),
    };
    Walk::new(path.to_owned(), out, guard, memory, u64::MAX).nar(start)
}

struct Hasher<'a> {
    state: Sha256,
    out: &'a mut dyn Write,
}

impl Write for Hasher<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.state.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
