//! The walk that writes a path's NAR.

use std::ffi::{CStr, CString, OsStr};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, Stat};

use super::metadata::Guard;
use super::{MAX_DEPTH, NarError};

/// Bytes read from a file at once.
const CHUNK: usize = 128 * 1024;

/// One directory that is being written: itself and the names still to come.
struct Open {
    directory: OwnedFd,
    names: std::vec::IntoIter<CString>,
}

pub(super) struct Walk<'a, W> {
    out: &'a mut W,
    /// Where the walk is, for messages.
    at: PathBuf,
    written: u64,
    chunk: Vec<u8>,
    /// Looks at what the NAR does not hold.
    guard: Option<Guard>,
}

impl<'a, W: Write> Walk<'a, W> {
    pub(super) fn new(path: &Path, out: &'a mut W, guard: Option<Guard>) -> Self {
        Self {
            out,
            at: path.to_path_buf(),
            written: 0,
            chunk: vec![0; CHUNK],
            guard,
        }
    }

    /// Writes the NAR and returns its length.
    pub(super) fn run(mut self) -> Result<u64, NarError> {
        let root = self.at.clone();
        self.string(b"nix-archive-1")?;
        self.tree(&root)?;
        Ok(self.written)
    }

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
            FileType::Symlink => {
                self.owner(&stat)?;
                self.symlink(parent, name).map(|()| None)
            }
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
        self.inspect(&file, &stat)?;
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
        if self.guard.is_some() {
            let stat = self.read(fs::fstat(&directory))?;
            self.inspect(&directory, &stat)?;
        }
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

    /// What the guard has to say of an open file or directory.
    fn inspect(&mut self, file: &OwnedFd, stat: &Stat) -> Result<(), NarError> {
        let Some(guard) = &mut self.guard else {
            return Ok(());
        };
        let verdict = guard.open_file(file.as_fd(), stat);
        verdict.map_err(|fact| self.untrusted(fact))
    }

    /// What the guard has to say of a link, which has an owner and nothing else.
    fn owner(&self, stat: &Stat) -> Result<(), NarError> {
        let Some(guard) = &self.guard else {
            return Ok(());
        };
        let verdict = guard.owner(stat);
        verdict.map_err(|fact| self.untrusted(fact))
    }

    fn untrusted(&self, fact: String) -> NarError {
        NarError::Metadata {
            path: self.at.clone(),
            fact,
        }
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
