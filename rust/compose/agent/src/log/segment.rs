//! Segments: the files of a log.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    FallocateFlags, FsWord, IFlags, fallocate, fstatfs, ioctl_getflags, ioctl_setflags,
};
use rustix::io::Errno;

use super::error::LogError;

/// What a segment's name ends with.
const SUFFIX: &str = ".log";

/// What a file's name ends with while it is made.
pub(super) const UNFINISHED: &str = ".new";

/// Bytes beside what entries have: as many may be the file system's own, for where the file lies, though they count as the file's.
const OWN: u64 = 64 << 10;

/// What `statfs` says of Btrfs.
const BTRFS: FsWord = 0x9123_683e;

/// The name of a segment's file: 8 digits or more.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:08}{SUFFIX}")
}

/// The number of the segment whose file has this name.
fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (number > 0 && file_name(number) == name).then_some(number)
}

/// The segments in a folder, by number.
pub(super) fn list(folder: &Path) -> Result<Vec<(u64, PathBuf)>, LogError> {
    let failed = |source| LogError::system("the log's folder cannot be read", folder)(source);
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(number) = entry.file_name().to_str().and_then(number) {
            segments.push((number, entry.path()));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Removes what was being made when an agent was killed.
pub(super) fn remove_unfinished(folder: &Path) -> Result<(), LogError> {
    let failed = |source| LogError::system("the log's folder cannot be cleaned", folder)(source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Why no space was set aside.
pub(super) enum NoSpace {
    /// There is none.
    Full,
    /// Something else.
    Other(LogError),
}

/// A segment that has its space, and not its name yet. Dropped, it is gone.
pub(super) struct Fresh {
    file: Option<File>,
    path: PathBuf,
    unfinished: PathBuf,
}

impl Fresh {
    /// Takes `room` bytes for the segment of this number.
    pub(super) fn prepare(folder: &Path, number: u64, room: u64) -> Result<Self, NoSpace> {
        let path = folder.join(file_name(number));
        let unfinished = folder.join(format!("{}{UNFINISHED}", file_name(number)));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .map_err(|source| of(source, &unfinished))?;
        let fresh = Self {
            file: Some(file),
            path,
            unfinished,
        };
        if let Some(file) = &fresh.file {
            write_in_place(file, folder)?;
            set_aside(file, 0, room, folder)?;
        }
        Ok(fresh)
    }

    /// Writes the first line and gives the file its name: from here on it is a part of the log, and no failure is one of space. Who took
    /// it for that would go on with the segment before.
    pub(super) fn begin(mut self, line: &[u8]) -> Result<File, NoSpace> {
        let Some(file) = self.file.take() else {
            return Err(NoSpace::Other(LogError::Closed));
        };
        let written = file.write_all_at(line, 0).and_then(|()| file.sync_all());
        written.map_err(|source| of(source, &self.unfinished))?;
        fs::rename(&self.unfinished, &self.path).map_err(|source| of(source, &self.path))?;
        sync_folder(&self.path).map_err(|source| failed(source, &self.path))?;
        Ok(file)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // Renamed, or of no use: what is left over is removed at the next start.
        let _ = fs::remove_file(&self.unfinished);
    }
}

fn of(source: io::Error, file: &Path) -> NoSpace {
    match LogError::is_no_space(&source) {
        true => NoSpace::Full,
        false => failed(source, file),
    }
}

fn failed(source: io::Error, file: &Path) -> NoSpace {
    NoSpace::Other(LogError::system("a segment cannot be made", file)(source))
}

/// Takes the disk for the file's bytes `from` to `room`, without making it longer: what is read of it stays what was written. Those before
/// `from` it has ([`room`]): where there is no room for all, tmpfs would take them away again, and XFS asks for as much once more.
pub(super) fn set_aside(file: &File, from: u64, room: u64, folder: &Path) -> Result<(), NoSpace> {
    let end = room.saturating_add(OWN);
    if from < room {
        fallocate(file, FallocateFlags::KEEP_SIZE, from, end - from).map_err(
            |error| match error {
                Errno::OPNOTSUPP | Errno::NOSYS => no_preallocation(error.into(), folder),
                _ => of(error.into(), folder),
            },
        )?;
    }
    let facts = file.metadata().map_err(|source| of(source, folder))?;
    match bytes(&facts) < end {
        // ZFS looks whether there is as much, and takes nothing.
        true => Err(no_preallocation(
            io::Error::other("it says that it did, and the file has not got it"),
            folder,
        )),
        false => Ok(()),
    }
}

/// Up to where the file has its space, in bytes; `written` of them are.
pub(super) fn room(file: &File, written: u64) -> u64 {
    let all = file.metadata().map_or(0, |facts| bytes(&facts));
    all.saturating_sub(OWN).max(written)
}

/// Bytes of the disk that are a file's.
fn bytes(facts: &Metadata) -> u64 {
    facts.blocks().saturating_mul(512)
}

/// Btrfs writes each byte to a new place, beside the space that was set aside, unless it is told otherwise while the file is empty.
fn write_in_place(file: &File, folder: &Path) -> Result<(), NoSpace> {
    let told = || {
        if fstatfs(file)?.f_type == BTRFS {
            ioctl_setflags(file, ioctl_getflags(file)? | IFlags::NOCOW)?;
        }
        Ok(())
    };
    told().map_err(|error: Errno| no_preallocation(error.into(), folder))
}

fn no_preallocation(source: io::Error, folder: &Path) -> NoSpace {
    let folder = folder.to_owned();
    NoSpace::Other(LogError::NoPreallocation { folder, source })
}

/// Makes the name of a file last.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
