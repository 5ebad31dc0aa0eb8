//! The walk that writes a path's NAR.

use std::ffi::{CStr, OsStr};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{self, AtFlags, FileType, Mode, Stat};
use rustix::io::Errno;

use super::ahead::Ahead;
use super::metadata::Guard;
use super::names::{Listing, Names};
use super::open::Opener;
use super::out::{Buffer, Failed, Out};
use super::{MAX_DEPTH, NarError};

/// The memory of a walk: whoever walks many paths takes the same again.
pub(super) struct Memory {
    buffer: Buffer,
    listing: Listing,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            buffer: Buffer::new(),
            listing: Listing::new(),
        }
    }
}

/// Where a walk begins.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    /// The folder that the path lies in.
    pub(super) folder: BorrowedFd<'a>,
    /// Its name there; a path where the folder is the working directory.
    pub(super) name: &'a [u8],
}

/// One directory that is being written: itself, its entries, and which of them comes next.
struct Open {
    directory: OwnedFd,
    names: Names,
    next: usize,
    ahead: Ahead,
}

pub(super) struct Walk<'a, W> {
    out: Out<'a, W>,
    listing: &'a mut Listing,
    /// Where the walk is, for messages.
    at: PathBuf,
    opener: Opener,
    /// Looks at what the NAR does not hold.
    guard: Option<Guard>,
    /// How many bytes of NAR there may be for entries that are not read yet.
    room: u64,
}

impl<'a, W: Write> Walk<'a, W> {
    /// A walk that calls what it begins at by the path `shown`, and that need not end once the NAR is longer than `most` bytes.
    pub(super) fn new(
        shown: PathBuf,
        out: &'a mut W,
        guard: Option<Guard>,
        memory: &'a mut Memory,
        most: u64,
    ) -> Self {
        Self {
            out: Out::new(out, &mut memory.buffer),
            listing: &mut memory.listing,
            at: shown,
            opener: Opener::new(),
            guard,
            room: most,
        }
    }

    /// Writes the NAR and returns its length.
    pub(super) fn nar(mut self, start: Start<'_>) -> Result<u64, NarError> {
        self.string(b"nix-archive-1")?;
        self.tree(start)?;
        self.out.finish().map_err(NarError::Write)
    }

    /// Writes the node that the walk begins at and everything below it, with a stack of its own instead of recursion.
    fn tree(&mut self, start: Start<'_>) -> Result<(), NarError> {
        let kind = self.kind_of(start.folder, start.name)?;
        let first = self.node(start.folder, start.name, kind, None)?;
        let mut open: Vec<Open> = first.into_iter().collect();
        while let Some(parent) = open.last_mut() {
            match self.entry(parent)? {
                Step::Leaf => {}
                Step::Folder(_) if open.len() >= MAX_DEPTH => {
                    return Err(NarError::TooDeep {
                        path: self.at.clone(),
                    });
                }
                Step::Folder(child) => open.push(child),
                Step::End => {
                    open.pop();
                    self.string(b")")?;
                    if !open.is_empty() {
                        self.leave()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The next entry of a directory.
    fn entry(&mut self, parent: &mut Open) -> Result<Step, NarError> {
        let place = parent.next;
        parent.next += 1;
        let directory = parent.directory.as_fd();
        let Some((name, kind)) = parent.names.get(place) else {
            return Ok(Step::End);
        };
        self.enter(name)?;
        let kind = match kind {
            // Not every file system says in its directories what it names.
            FileType::Unknown => self.kind_of(directory, name)?,
            known => known,
        };
        let file = match kind {
            FileType::RegularFile => {
                let opener = &mut self.opener;
                parent.ahead.take(place, &parent.names, directory, opener)
            }
            _ => None,
        };
        match self.node(directory, name, kind, file)? {
            Some(child) => {
                parent.ahead.pause(parent.next);
                Ok(Step::Folder(child))
            }
            None => self.leave().map(|()| Step::Leaf),
        }
    }

    fn enter(&mut self, name: &[u8]) -> Result<(), NarError> {
        self.at.push(OsStr::from_bytes(name));
        self.strings(&[b"entry", b"(", b"name", name, b"node"])
    }

    fn leave(&mut self) -> Result<(), NarError> {
        self.at.pop();
        self.string(b")")
    }

    /// Writes a whole file or link; of a directory only the beginning, and returns it for its entries and end to follow.
    fn node(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        kind: FileType,
        file: Option<OwnedFd>,
    ) -> Result<Option<Open>, NarError> {
        self.strings(&[b"(", b"type"])?;
        match kind {
            FileType::RegularFile => {
                let file = match file {
                    Some(file) => Ok(file),
                    None => self.opener.file(parent, name),
                };
                self.regular(&self.read(file)?).map(|()| None)
            }
            FileType::Symlink => self.symlink(parent, name).map(|()| None),
            FileType::Directory => self.directory(parent, name).map(Some),
            kind => Err(NarError::Kind {
                path: self.at.clone(),
                kind: describe(kind),
            }),
        }
    }

    fn regular(&mut self, file: &OwnedFd) -> Result<(), NarError> {
        let stat = self.opened(file)?;
        self.string(b"regular")?;
        if executable(&stat) {
            self.strings(&[b"executable", b""])?;
        }
        let length = self.length(&stat)?;
        self.string(b"contents")?;
        self.raw(&length.to_le_bytes())?;
        self.contents(file, length)?;
        self.pad(length)?;
        self.string(b")")
    }

    /// A regular file that was opened, once it is known to be one that can be trusted.
    fn opened(&self, file: &OwnedFd) -> Result<Stat, NarError> {
        let stat = self.read(fs::fstat(file))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.changed());
        }
        self.inspect(file, &stat)?;
        Ok(stat)
    }

    fn contents(&mut self, file: &OwnedFd, length: u64) -> Result<(), NarError> {
        self.out.file(file, length).map_err(|failed| match failed {
            Failed::Read(error) => self.unreadable(error.into()),
            Failed::Changed => self.changed(),
            Failed::Write(error) => NarError::Write(error),
        })
    }

    fn symlink(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), NarError> {
        if self.guard.is_some() {
            let stat = self.read(fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW))?;
            self.owner(&stat)?;
        }
        let target = match fs::readlinkat(parent, name, Vec::new()) {
            // It is no link any more.
            Err(Errno::INVAL) => return Err(self.changed()),
            other => self.read(other)?,
        };
        let target: &CStr = &target;
        self.strings(&[b"symlink", b"target", target.to_bytes(), b")"])
    }

    fn directory(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<Open, NarError> {
        let directory = self.opener.folder(parent, name);
        let directory = self.read(directory)?;
        if self.guard.is_some() {
            let stat = self.read(fs::fstat(&directory))?;
            self.inspect(&directory, &stat)?;
        }
        let names = Names::read(directory.as_fd(), self.listing, &mut self.room);
        let Some(names) = self.read(names)? else {
            return Err(NarError::Write(io::ErrorKind::FileTooLarge.into()));
        };
        self.string(b"directory")?;
        Ok(Open {
            directory,
            names,
            next: 0,
            ahead: Ahead::default(),
        })
    }

    fn kind_of(&self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<FileType, NarError> {
        let stat = self.read(fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW))?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }

    fn length(&self, stat: &Stat) -> Result<u64, NarError> {
        u64::try_from(stat.st_size).map_err(|_| self.changed())
    }

    /// What the guard has to say of an open file or directory.
    fn inspect(&self, file: &OwnedFd, stat: &Stat) -> Result<(), NarError> {
        let Some(guard) = &self.guard else {
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
        self.out.raw(bytes).map_err(NarError::Write)
    }

    fn read<T>(&self, result: Result<T, Errno>) -> Result<T, NarError> {
        result.map_err(|error| self.unreadable(error.into()))
    }

    fn untrusted(&self, fact: String) -> NarError {
        NarError::Metadata {
            path: self.at.clone(),
            fact,
        }
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

/// What one entry of a directory was.
enum Step {
    Leaf,
    Folder(Open),
    End,
}

fn executable(stat: &Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR)
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
