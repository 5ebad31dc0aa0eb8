//! The folder of a store, open.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::nar::{Guard, NarError};

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// The folders below a root, each of which decides what the next one is.
const BELOW: [(&str, Judge); 2] = [("nix", Guard::above_store), ("store", Guard::store)];

/// Says why a folder is not trusted.
type Judge = fn(&Guard, BorrowedFd<'_>) -> Result<(), String>;

/// A store on a disk: the folder that holds the paths. It is opened once, so that nothing that is done to the way there changes what is
/// looked at.
#[derive(Debug)]
pub struct Store {
    folder: OwnedFd,
    shown: PathBuf,
}

impl Store {
    /// The store that is this folder (`/nix/store` of the running system).
    ///
    /// # Errors
    /// [`NarError::Read`] when it is no folder that can be read, [`NarError::Metadata`] when everybody may write to it, when it has an access
    /// list, or when it belongs to neither root nor the one who asks.
    pub fn open(folder: &Path) -> Result<Self, NarError> {
        Self::named(folder, Guard::store)
    }

    /// The store of a system whose root is mounted at this folder: `nix/store` below it. Nothing on the way may be a link: it would lead
    /// somewhere else as soon as that folder is the root itself.
    ///
    /// # Errors
    /// As of [`Store::open`], for the root, `nix` and `store`, [`NarError::Metadata`] when a group may write to one of the first two, and
    /// [`NarError::Read`] for a link.
    pub fn below(root: &Path) -> Result<Self, NarError> {
        let mut store = Self::named(root, Guard::above_store)?;
        for (name, judge) in BELOW {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let opened = fs::openat2(&store.folder, name, FLAGS, Mode::empty(), resolve);
            store = judged(opened, store.shown.join(name), judge)?;
        }
        Ok(store)
    }

    fn named(folder: &Path, judge: Judge) -> Result<Self, NarError> {
        let opened = fs::openat(CWD, folder, FLAGS, Mode::empty());
        judged(opened, folder.to_owned(), judge)
    }

    /// Where a path of this name is, for messages.
    pub(super) fn shown(&self, name: &str) -> PathBuf {
        self.shown.join(name)
    }

    pub(super) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

fn judged(opened: Result<OwnedFd, Errno>, shown: PathBuf, judge: Judge) -> Result<Store, NarError> {
    match opened {
        Ok(folder) => match judge(&Guard::new(), folder.as_fd()) {
            Ok(()) => Ok(Store { folder, shown }),
            Err(fact) => Err(NarError::Metadata { path: shown, fact }),
        },
        Err(Errno::LOOP) => Err(NarError::Read {
            path: shown,
            source: io::Error::other("it is a symbolic link, which leads somewhere else later"),
        }),
        Err(error) => Err(NarError::Read {
            path: shown,
            source: error.into(),
        }),
    }
}
