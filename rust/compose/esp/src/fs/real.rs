//! The file system of the machine.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    self, AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags,
};
use rustix::io::Errno;

use super::{FileSystem, Found, Kind, Room};
use crate::EspPath;

/// A mounted file system, by a descriptor of its root. No operation follows a link or leaves it, not into another file system either that is
/// mounted inside: on FAT `EFI` and `efi` are one name, and XBOOTLDR at `/boot` may have the ESP mounted at `/boot/efi`.
pub struct Real {
    root: OwnedFd,
    name: String,
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);

impl Real {
    /// Opens the file system that is mounted at `root`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn open(root: &Path) -> io::Result<Self> {
        Ok(Self {
            root: fs::openat(CWD, root, FOLDER, Mode::empty())?,
            name: PathBuf::from(root).display().to_string(),
        })
    }

    /// Locks the file system until this is dropped. When another process has the lock, calls `wait` once, and waits.
    ///
    /// Who locks several does so in one order everywhere.
    ///
    /// # Errors
    /// Those of the system.
    pub fn lock(&self, wait: impl FnOnce(&str)) -> io::Result<()> {
        match fs::flock(&self.root, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => wait(&self.name),
            other => return Ok(other?),
        }
        loop {
            match fs::flock(&self.root, FlockOperation::LockExclusive) {
                Err(Errno::INTR) => {}
                other => return Ok(other?),
            }
        }
    }

    fn open_below(&self, path: &str, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        loop {
            match fs::openat2(&self.root, path, flags | OFlags::CLOEXEC, mode, resolve) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                other => return Ok(other?),
            }
        }
    }

    fn folder(&self, folder: Option<&EspPath>) -> io::Result<OwnedFd> {
        let path = folder.map_or(".", EspPath::as_str);
        self.open_below(path, FOLDER, Mode::empty())
    }

    fn folder_of(&self, path: &EspPath) -> io::Result<OwnedFd> {
        self.folder(path.folder().as_ref())
    }

    /// Brings FAT's table of clusters to the disk, and with it the chains of what was just written. `fsync` writes a file's name and size
    /// before its chain: what has a name without a chain makes Linux mount the file system read-only when it is read or removed.
    fn sync_chains(&self) -> io::Result<()> {
        Ok(fs::fsync(&self.root)?)
    }

    fn rename_with(&self, from: &EspPath, to: &EspPath, flags: RenameFlags) -> io::Result<()> {
        if from.folder() != to.folder() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let folder = self.folder_of(from)?;
        Ok(fs::renameat_with(
            &folder,
            from.name(),
            &folder,
            to.name(),
            flags,
        )?)
    }
}

impl FileSystem for Real {
    type Writer = File;
    type Reader = File;

    fn name(&self) -> &str {
        &self.name
    }

    fn list(&self, folder: Option<&EspPath>) -> io::Result<Vec<Found>> {
        let folder = self.folder(folder)?;
        let mut found = Vec::new();
        for entry in fs::Dir::read_from(&folder)? {
            let entry = entry?;
            // What is no UTF-8 is no name that we know.
            match entry.file_name().to_str() {
                Ok("." | "..") | Err(_) => {}
                Ok(name) => found.extend(about(&folder, name)?),
            }
        }
        Ok(found)
    }

    fn open(&self, file: &EspPath) -> io::Result<File> {
        // A pipe would be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let opened = self.open_below(file.as_str(), flags, Mode::empty())?;
        match FileType::from_raw_mode(fs::fstat(&opened)?.st_mode) {
            FileType::RegularFile => Ok(File::from(opened)),
            _ => Err(io::Error::other("this is no file")),
        }
    }

    fn create(&self, file: &EspPath) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let created = self.open_below(file.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
        Ok(File::from(created))
    }

    fn sync_file(&self, writer: File) -> io::Result<()> {
        self.sync_chains()?;
        writer.sync_all()
    }

    fn create_folder(&self, folder: &EspPath) -> io::Result<()> {
        let above = self.folder_of(folder)?;
        fs::mkdirat(above, folder.name(), Mode::RWXU)?;
        self.sync_chains()
    }

    fn remove_folder(&self, folder: &EspPath) -> io::Result<()> {
        let above = self.folder_of(folder)?;
        Ok(fs::unlinkat(above, folder.name(), AtFlags::REMOVEDIR)?)
    }

    fn sync_folder(&self, folder: Option<&EspPath>) -> io::Result<()> {
        Ok(fs::fsync(self.folder(folder)?)?)
    }

    fn rename(&self, from: &EspPath, to: &EspPath) -> io::Result<()> {
        self.rename_with(from, to, RenameFlags::NOREPLACE)
    }

    fn exchange(&self, one: &EspPath, other: &EspPath) -> io::Result<()> {
        match self.rename_with(one, other, RenameFlags::EXCHANGE) {
            Err(error) if error.kind() == ErrorKind::InvalidInput => Err(io::Error::new(
                ErrorKind::Unsupported,
                "this kernel cannot exchange two names on this file system; on FAT, Linux can from 6.0 on",
            )),
            other => other,
        }
    }

    /// The open file holds the clusters until the name is gone from the disk.
    fn remove(&self, file: &EspPath) -> io::Result<()> {
        let folder = self.folder_of(file)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let held = fs::openat(&folder, file.name(), flags, Mode::empty());
        fs::unlinkat(&folder, file.name(), AtFlags::empty())?;
        fs::fsync(&folder)?;
        drop(held);
        Ok(())
    }

    /// `syncfs` writes everything, but on FAT it leaves it in the disk's cache; `fsync` of any folder empties that.
    fn sync(&self) -> io::Result<()> {
        self.sync_chains()?;
        fs::syncfs(&self.root)?;
        Ok(fs::fsync(&self.root)?)
    }

    fn room(&self) -> io::Result<Room> {
        let room = fs::fstatvfs(&self.root)?;
        Ok(Room {
            cluster: room.f_frsize,
            free: room.f_bavail.saturating_mul(room.f_frsize),
        })
    }
}

/// What a name stands for; nothing when it is gone meanwhile.
fn about(folder: &OwnedFd, name: &str) -> io::Result<Option<Found>> {
    let stat = match fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        stat => stat?,
    };
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => Kind::Other,
    };
    Ok(Some(Found {
        name: name.to_owned(),
        kind,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        modified: time(stat.st_mtime, stat.st_mtime_nsec),
    }))
}

/// Before 1970 there was no UEFI.
fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    UNIX_EPOCH + since + Duration::from_nanos(nanoseconds)
}
