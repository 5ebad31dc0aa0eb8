//! Locks as Nix takes them, so that it and this program wait for each other.
//!
//! Source: Nix 2.3 to 2.31, by its behaviour: `flock` on a file beside what is locked. Whoever is done removes the file and writes into it, so that one
//! who waited for it sees that it is not the file any more.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// The lock of Nix' garbage collector.
pub(super) const COLLECTOR: &str = "/nix/var/nix/gc.lock";

/// A lock of something that this program is about to change.
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes it; `waiting` is called once when another has it.
    pub(super) fn take(path: &Path, mut waiting: impl FnMut()) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            wait(&file, FlockOperation::LockExclusive, &mut waiting)?;
            if file.metadata()?.len() == 0 {
                let path = path.to_owned();
                return Ok(Self { file, path });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A lock file that stays locks nobody out: the lock goes with the descriptor.
        let _ = fs::remove_file(&self.path);
        let _ = self.file.write_all(b"d");
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).mode(0o600);
    options.open(path)
}

/// Keeps Nix from beginning a collection for as long as the answer lives; nothing on a machine without Nix.
pub(super) fn share(path: &Path, mut waiting: impl FnMut()) -> io::Result<Option<File>> {
    match File::options().read(true).open(path) {
        Ok(file) => {
            wait(&file, FlockOperation::LockShared, &mut waiting)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn wait(file: &File, how: FlockOperation, waiting: &mut impl FnMut()) -> io::Result<()> {
    let at_once = match how {
        FlockOperation::LockShared => FlockOperation::NonBlockingLockShared,
        _ => FlockOperation::NonBlockingLockExclusive,
    };
    match flock(file, at_once) {
        Err(Errno::WOULDBLOCK) => waiting(),
        other => return Ok(other?),
    }
    loop {
        match flock(file, how) {
            Err(Errno::INTR) => (),
            other => return Ok(other?),
        }
    }
}
