//! Paths on their way into the store: unpacked aside, hashed, synced, renamed, registered — in this order, references before referrers.
//!
//! Whatever is registered is in the store, whole, and so is all that it refers to. What a crash leaves behind lies in the stage (and is
//! removed by the next run) or in the store without being registered (and is hashed and registered by the next run).

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, fsync, syncfs};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, openat, renameat, renameat_with, statat};
use rustix::io::Errno;
use touchstone_store::closure::file_name;
use touchstone_store::{NarInfo, nar};

use super::error::{ImportError, failed};
use super::place::{Place, signed};
use super::unpack::{Unpacker, canonical};

/// What is published at once: a crash loses no more than this many bytes of NAR, or paths, that were unpacked.
const BATCH_BYTES: u64 = 256 << 20;
const BATCH_PATHS: usize = 4096;

/// How a path comes to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// It is there.
    Adopted,
    /// Where nothing was.
    Moved,
    /// In exchange for what was there.
    Exchanged,
}

/// The stage of one import.
pub(super) struct Stage<'a> {
    place: &'a Place,
    store: OwnedFd,
    stage: OwnedFd,
    waiting: Vec<(NarInfo, How)>,
    bytes: u64,
}

impl<'a> Stage<'a> {
    /// Whether an import that did not end left something behind.
    pub(super) fn is_left(place: &Place) -> bool {
        [&place.stage, &place.pending]
            .iter()
            .any(|folder| fs::symlink_metadata(folder).is_ok())
    }

    /// Begins, with nothing in the stage.
    pub(super) fn begin(place: &'a Place) -> Result<Self, ImportError> {
        clear(place)?;
        for folder in [&place.stage, &place.pending] {
            let made = DirBuilder::new().mode(0o700).create(folder);
            made.map_err(failed("making", folder))?;
        }
        Ok(Self {
            store: open(&place.store)?,
            stage: open(&place.stage)?,
            place,
            waiting: Vec::new(),
            bytes: 0,
        })
    }

    /// Unpacks a path and compares it with what was signed.
    pub(super) fn unpack(
        &mut self,
        info: &NarInfo,
        input: &mut dyn Read,
        replace: bool,
    ) -> Result<(), ImportError> {
        let path = &info.entry.path;
        // A store path's name has no NUL.
        let name = CString::new(path.base_name()).unwrap_or_default();
        let mut tree = Unpacker::new(self.stage.as_fd(), name);
        let signed = signed(info);
        let found = nar::read(input, signed.size, &mut tree);
        let found = found.map_err(|source| ImportError::Unpack {
            path: path.clone(),
            source,
        })?;
        if found != signed {
            return Err(ImportError::Content {
                path: path.clone(),
                signed,
                found,
            });
        }
        self.bytes = self.bytes.saturating_add(signed.size);
        let how = if replace { How::Exchanged } else { How::Moved };
        self.waiting.push((info.clone(), how));
        self.publish_batch()
    }

    /// Takes a path that is there and was hashed.
    pub(super) fn adopt(&mut self, info: &NarInfo) -> Result<(), ImportError> {
        self.waiting.push((info.clone(), How::Adopted));
        self.publish_batch()
    }

    fn publish_batch(&mut self) -> Result<(), ImportError> {
        match self.bytes >= BATCH_BYTES || self.waiting.len() >= BATCH_PATHS {
            true => self.publish(),
            false => Ok(()),
        }
    }

    /// Moves what is unpacked into the store, and registers it when it is there for good.
    pub(super) fn publish(&mut self) -> Result<(), ImportError> {
        sync(&self.stage, &self.place.stage)?;
        for (info, how) in &self.waiting {
            self.move_in(info, *how)?;
        }
        fsync(&self.store).map_err(|error| failed("syncing", &self.place.store)(error.into()))?;
        self.register()?;
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }

    fn move_in(&self, info: &NarInfo, how: How) -> Result<(), ImportError> {
        let name = info.entry.path.base_name();
        let moved = match how {
            How::Adopted => return Ok(()),
            How::Moved => self.movable(name).and_then(|()| self.rename(name)),
            How::Exchanged => self.movable(name).and_then(|()| {
                let flags = RenameFlags::EXCHANGE;
                renameat_with(&self.stage, name, &self.store, name, flags)
            }),
        };
        let finished = moved.and_then(|()| self.finish(name));
        finished.map_err(|error| {
            failed("publishing", self.place.on_disk(&info.entry.path))(error.into())
        })
    }

    fn rename(&self, name: &str) -> rustix::io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        match renameat_with(&self.stage, name, &self.store, name, flags) {
            // A file system that knows no such rename. That nothing stands there was seen under the lock.
            Err(Errno::INVAL) => renameat(&self.stage, name, &self.store, name),
            other => other,
        }
    }

    /// Only root may move a folder that its owner may not write to.
    fn movable(&self, name: &str) -> rustix::io::Result<()> {
        match rustix::process::geteuid().is_root() || !self.is_folder(&self.stage, name)? {
            true => Ok(()),
            false => rustix::fs::chmodat(&self.stage, name, Mode::RWXU, AtFlags::empty()),
        }
    }

    fn finish(&self, name: &str) -> rustix::io::Result<()> {
        if rustix::process::geteuid().is_root() || !self.is_folder(&self.store, name)? {
            return Ok(());
        }
        canonical(openat(&self.store, name, FOLDER, Mode::empty())?, true)
    }

    fn is_folder(&self, parent: &OwnedFd, name: &str) -> rustix::io::Result<bool> {
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Registers what is in the store. A registration that is there was written whole.
    fn register(&self) -> Result<(), ImportError> {
        let pending = &self.place.pending;
        for (info, _) in &self.waiting {
            let file = pending.join(file_name(&info.entry.path));
            fs::write(&file, info.registered().to_string()).map_err(failed("writing", &file))?;
            let permissions = Permissions::from_mode(0o444);
            fs::set_permissions(&file, permissions).map_err(failed("writing", &file))?;
        }
        sync(&open(pending)?, pending)?;
        for (info, _) in &self.waiting {
            let name = file_name(&info.entry.path);
            let valid = self.place.valid.join(&name);
            let renamed = fs::rename(pending.join(&name), &valid);
            renamed.map_err(failed("writing", &valid))?;
        }
        let folder = open(&self.place.valid)?;
        fsync(folder).map_err(|error| failed("syncing", &self.place.valid)(error.into()))
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // What is left the next run removes; here nobody could be told.
        let _ = clear(self.place);
    }
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn open(folder: &Path) -> Result<OwnedFd, ImportError> {
    let opened = openat(CWD, folder, FOLDER, Mode::empty());
    opened.map_err(|error| failed("opening", folder)(error.into()))
}

fn sync(folder: &OwnedFd, name: &Path) -> Result<(), ImportError> {
    syncfs(folder).map_err(|error| failed("syncing", name)(error.into()))
}

/// Removes the stage.
pub(super) fn clear(place: &Place) -> Result<(), ImportError> {
    for folder in [&place.stage, &place.pending] {
        let removed = match remove(folder) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                unlock(folder).and_then(|()| remove(folder))
            }
            other => other,
        };
        removed.map_err(failed("removing", folder))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Lets the owner, who is not root, remove what is in folders that are finished.
fn unlock(folder: &Path) -> io::Result<()> {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        File::open(&folder)?.set_permissions(Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            }
        }
    }
    Ok(())
}
