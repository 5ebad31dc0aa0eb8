//! A NAR's tree on a disk, with the metadata that every store path has.
//!
//! Every name is opened relative to its folder's descriptor and made anew, never followed: whatever the archive says, nothing outside of
//! the folder that is unpacked into is touched.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustix::fs::{self, AtFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use touchstone_store::nar::Sink;

/// The time of everything in a store: a second after 1970 began.
const MTIME: Timestamps = Timestamps {
    last_access: Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    },
    last_modification: Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    },
};

/// Why a tree could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", path.display())]
pub struct UnpackError {
    /// The file, link or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Unpacks one tree.
pub(super) struct Unpacker<'a> {
    parent: BorrowedFd<'a>,
    /// The folders that are open, the innermost last.
    open: Vec<OwnedFd>,
    /// What the next node is called.
    name: CString,
    /// The file that is being written.
    file: Option<(File, bool)>,
    /// Where the tree is, for messages.
    at: PathBuf,
}

impl<'a> Unpacker<'a> {
    /// Unpacks to `name` in the folder `parent`, where nothing of that name may stand.
    pub(super) fn new(parent: BorrowedFd<'a>, name: CString) -> Self {
        Self {
            parent,
            open: Vec::new(),
            at: PathBuf::from(OsStr::from_bytes(name.to_bytes())),
            name,
            file: None,
        }
    }

    fn inside(&self) -> BorrowedFd<'_> {
        self.open.last().map_or(self.parent, AsFd::as_fd)
    }

    fn failed(&self, source: impl Into<io::Error>) -> UnpackError {
        UnpackError {
            path: self.at.clone(),
            source: source.into(),
        }
    }

    fn try_file(&mut self, executable: bool) -> rustix::io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | NEW;
        let file = fs::openat(self.inside(), &self.name, flags, Mode::RUSR | Mode::WUSR)?;
        self.file = Some((File::from(file), executable));
        Ok(())
    }

    fn try_folder(&mut self) -> rustix::io::Result<()> {
        fs::mkdirat(self.inside(), &self.name, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | NEW;
        let opened = fs::openat(self.inside(), &self.name, flags, Mode::empty())?;
        self.open.push(opened);
        Ok(())
    }

    fn try_link(&self, target: &[u8]) -> rustix::io::Result<()> {
        fs::symlinkat(target, self.inside(), &self.name)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        fs::utimensat(self.inside(), &self.name, &MTIME, flags)
    }

    /// Back to the folder that holds what was finished.
    fn leave(&mut self) {
        if !self.open.is_empty() {
            self.at.pop();
        }
    }
}

const NEW: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC);

/// The mode and time that everything in a store has.
pub(super) fn canonical(file: impl AsFd, executable: bool) -> rustix::io::Result<()> {
    let mode = if executable { 0o555 } else { 0o444 };
    fs::fchmod(&file, Mode::from_raw_mode(mode))?;
    fs::futimens(&file, &MTIME)
}

impl Sink for Unpacker<'_> {
    type Error = UnpackError;

    fn file(&mut self, executable: bool, _size: u64) -> Result<(), UnpackError> {
        self.try_file(executable)
            .map_err(|error| self.failed(error))
    }

    fn data(&mut self, bytes: &[u8]) -> Result<(), UnpackError> {
        let written = match &mut self.file {
            Some((file, _)) => file.write_all(bytes),
            None => Ok(()),
        };
        written.map_err(|error| self.failed(error))
    }

    fn file_end(&mut self) -> Result<(), UnpackError> {
        if let Some((file, executable)) = self.file.take() {
            canonical(&file, executable).map_err(|error| self.failed(error))?;
        }
        self.leave();
        Ok(())
    }

    fn link(&mut self, target: &[u8]) -> Result<(), UnpackError> {
        self.try_link(target).map_err(|error| self.failed(error))?;
        self.leave();
        Ok(())
    }

    fn folder(&mut self) -> Result<(), UnpackError> {
        self.try_folder().map_err(|error| self.failed(error))
    }

    fn name(&mut self, name: &[u8]) -> Result<(), UnpackError> {
        self.at.push(OsStr::from_bytes(name));
        self.name = CString::new(name).map_err(|error| self.failed(io::Error::from(error)))?;
        Ok(())
    }

    fn folder_end(&mut self) -> Result<(), UnpackError> {
        if let Some(folder) = self.open.pop() {
            canonical(&folder, true).map_err(|error| self.failed(error))?;
        }
        self.leave();
        Ok(())
    }
}
