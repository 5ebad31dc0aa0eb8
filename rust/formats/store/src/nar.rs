//! NAR hashing: the hash of a path as Nix sees it, computed straight from the file system. Nothing is ever unpacked.
//!
//! A NAR ("Nix archive") holds what a store path *is*: regular files with their one executable bit, symbolic links, and directories
//! with their entries in byte order; neither owners nor times nor other mode bits.
//!
//! Source: E. Dolstra's thesis, figure 5.2; Nix manual, "Nix Archive (NAR) format".

use std::ffi::{CStr, CString, OsStr};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::NarHash;

/// Deepest nesting of directories that is followed: one open directory a level.
pub const MAX_DEPTH: usize = 256;
/// Bytes read from a file at once.
const CHUNK: usize = 128 * 1024;

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
    /// The NAR could not be passed on.
    #[error("the NAR cannot be written: {0}")]
    Write(io::Error),
}

/// Hashes a path. A symbolic link is hashed as the link that it is.
pub fn hash_path(path: &Path) -> Result<NarDigest, NarError> {
    let mut hasher = Hasher(Sha256::new());
    let size = write_path(path, &mut hasher)?;
    Ok(NarDigest {
        hash: NarHash::new(hasher.0.finalize().into()),
        size,
    })
}

/// Writes a path's NAR and returns its length in bytes. Memory stays the same however large the files are.
pub fn write_path<W: Write>(path: &Path, out: &mut W) -> Result<u64, NarError> {
    let mut walk = Walk {
        out,
        at: path.to_path_buf(),
        written: 0,
        chunk: vec![0; CHUNK],
    };
    walk.string(b"nix-archive-1")?;
    walk.tree(path)?;
    Ok(walk.written)
}

struct Hasher(Sha256);

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One directory that is being written: itself and the names still to come.
struct Open {
    directory: OwnedFd,
    names: std::vec::IntoIter<CString>,
}

struct Walk<'a, W> {
    out: &'a mut W,
    /// Where the walk is, for messages.
    at: PathBuf,
    written: u64,
    chunk: Vec<u8>,
}

impl<W: Write> Walk<'_, W> {
    /// Writes the node at the root and everything below it, with a stack of its own instead of recursion.
    fn tree(&mut self, root: &Path) -> Result<(), NarError> {
        let root = CString::new(root.as_os_str().as_bytes())
            .map_err(|error| self.unreadable(error.into()))?;
        let mut open: Vec<Open> = self.node(CWD, &root)?.into_iter().collect();
        while let Some(parent) = open.last_mut() {
            let Some(name) = parent.names.next() else {
                open.pop();
                self.string(b")")?;
                if !open.is_empty() {
                    self.leave()?;
                }
                continue;
            };
            self.enter(&name)?;
            match self.node(parent.directory.as_fd(), &name)? {
                Some(_) if open.len() >= MAX_DEPTH => {
                    return Err(NarError::TooDeep {
                        path: self.at.clone(),
                    });
                }
                Some(child) => open.push(child),
                None => self.leave()?,
            }
        }
        Ok(())
    }

    fn enter(&mut self, name: &CStr) -> Result<(), NarError> {
        self.at.push(OsStr::from_bytes(name.to_bytes()));
        self.strings(&[b"entry", b"(", b"name", name.to_bytes(), b"node"])
    }

    fn leave(&mut self) -> Result<(), NarError> {
        self.at.pop();
        self.string(b")")
    }

    /// Writes a whole file or link; of a directory only the beginning, and returns it for its entries and end to follow.
    fn node(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<Option<Open>, NarError> {
        let stat = self.read(fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW))?;
        self.strings(&[b"(", b"type"])?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.regular(parent, name).map(|()| None),
            FileType::Symlink => self.symlink(parent, name).map(|()| None),
            FileType::Directory => self.directory(parent, name).map(Some),
            kind => Err(NarError::Kind {
                path: self.at.clone(),
                kind: describe(kind),
            }),
        }
    }

    fn regular(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<(), NarError> {
        // NONBLOCK: should the file have become a FIFO since, opening it must not wait.
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.read(fs::openat(parent, name, flags, Mode::empty()))?;
        let stat = self.read(fs::fstat(&file))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.changed());
        }
        self.string(b"regular")?;
        if Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR) {
            self.strings(&[b"executable", b""])?;
        }
        let length = u64::try_from(stat.st_size).map_err(|_| self.changed())?;
        self.string(b"contents")?;
        self.contents(&file, length)?;
        self.string(b")")
    }

    /// Copies exactly `length` bytes; a file that ends sooner or later is refused.
    fn contents(&mut self, file: &OwnedFd, length: u64) -> Result<(), NarError> {
        self.raw(&length.to_le_bytes())?;
        let mut left = length;
        loop {
            let count = match rustix::io::read(file, &mut self.chunk[..]) {
                Err(rustix::io::Errno::INTR) => continue,
                other => self.read(other)?,
            };
            if count == 0 {
                break;
            }
            left = left
                .checked_sub(count as u64)
                .ok_or_else(|| self.changed())?;
            let chunk = self.chunk.get(..count).unwrap_or_default();
            self.out.write_all(chunk).map_err(NarError::Write)?;
            self.written += count as u64;
        }
        if left > 0 {
            return Err(self.changed());
        }
        self.pad(length)
    }

    fn symlink(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<(), NarError> {
        let target = self.read(fs::readlinkat(parent, name, Vec::new()))?;
        self.strings(&[b"symlink", b"target", target.to_bytes(), b")"])
    }

    fn directory(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> Result<Open, NarError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::DIRECTORY;
        let directory = self.read(fs::openat(parent, name, flags, Mode::empty()))?;
        let mut names = Vec::new();
        for entry in self.read(fs::Dir::read_from(&directory))? {
            let entry = self.read(entry)?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                names.push(entry.file_name().to_owned());
            }
        }
        // CString orders by bytes, as NAR does.
        names.sort_unstable();
        self.string(b"directory")?;
        Ok(Open {
            directory,
            names: names.into_iter(),
        })
    }

    fn strings(&mut self, texts: &[&[u8]]) -> Result<(), NarError> {
        texts.iter().try_for_each(|text| self.string(text))
    }

    /// A NAR string: length as 8 bytes, little end first; the bytes; zeros up to a multiple of 8.
    fn string(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        self.raw(&(bytes.len() as u64).to_le_bytes())?;
        self.raw(bytes)?;
        self.pad(bytes.len() as u64)
    }

    fn pad(&mut self, length: u64) -> Result<(), NarError> {
        let zeros = (8 - length % 8) % 8;
        self.raw([0; 8].get(..zeros as usize).unwrap_or_default())
    }

    fn raw(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(NarError::Write)
    }

    fn read<T>(&self, result: Result<T, rustix::io::Errno>) -> Result<T, NarError> {
        result.map_err(|error| self.unreadable(error.into()))
    }

    fn unreadable(&self, source: io::Error) -> NarError {
        NarError::Read {
            path: self.at.clone(),
            source,
        }
    }

    fn changed(&self) -> NarError {
        NarError::Changed {
            path: self.at.clone(),
        }
    }
}

fn describe(kind: FileType) -> &'static str {
    match kind {
        FileType::Socket => "socket",
        FileType::Fifo => "FIFO",
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        _ => "file of an unknown kind",
    }
}
