//! Opening what a walk comes by: below a folder that is open, never through a link, without waiting and without leaving a trace.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::io::Errno;

/// NONBLOCK: should a file have become a FIFO since it was listed, opening it must not wait.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::DIRECTORY);

/// Opens files and directories.
pub(super) struct Opener {
    /// Whether times of access are left alone, as only a file's owner may: else a disk that is read is written to.
    untimed: bool,
}

impl Opener {
    pub(super) fn new() -> Self {
        Self {
            untimed: rustix::process::geteuid().is_root(),
        }
    }

    pub(super) fn file(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
        self.open(parent, name, FILE)
    }

    pub(super) fn folder(&mut self, parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
        self.open(parent, name, FOLDER)
    }

    fn open(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &[u8],
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        if self.untimed {
            match fs::openat(parent, name, flags | OFlags::NOATIME, Mode::empty()) {
                // Root of a user namespace does not own what others do.
                Err(Errno::PERM) => self.untimed = false,
                other => return other,
            }
        }
        fs::openat(parent, name, flags, Mode::empty())
    }
}
