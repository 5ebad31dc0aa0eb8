//! What the transaction needs of a file system, so that a model of one can lose power where the real one cannot.

use std::io;
use std::time::SystemTime;

mod real;

pub use real::Real;

use crate::EspPath;

/// A file system as the transaction sees it. Nothing that it does is on the disk before the matching `sync` returns, but what `remove`
/// promises.
///
/// Errors are those of the system: [`io::ErrorKind::NotFound`], [`io::ErrorKind::StorageFull`], EIO …
pub trait FileSystem {
    /// A file that is being written.
    type Writer: io::Write;
    /// A file that is being read.
    type Reader: io::Read;

    /// What people call it: where it is mounted.
    fn name(&self) -> &str;
    /// What lies in a folder; the root when none is given.
    fn list(&self, folder: Option<&EspPath>) -> io::Result<Vec<Found>>;
    /// Opens a file to read it. A link is an error.
    fn open(&self, file: &EspPath) -> io::Result<Self::Reader>;
    /// Makes a new file; one that is there already is an error.
    fn create(&self, file: &EspPath) -> io::Result<Self::Writer>;
    /// Brings a file's content to the disk, and closes it.
    fn sync_file(&self, writer: Self::Writer) -> io::Result<()>;
    /// Makes a folder, whose parent is there.
    fn create_folder(&self, folder: &EspPath) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, folder: &EspPath) -> io::Result<()>;
    /// Brings the names in a folder to the disk; those in the root when none is given.
    fn sync_folder(&self, folder: Option<&EspPath>) -> io::Result<()>;
    /// Gives a file another name in the same folder. That something has that name already is an error ([`io::ErrorKind::AlreadyExists`]).
    fn rename(&self, from: &EspPath, to: &EspPath) -> io::Result<()>;
    /// Exchanges the names of two files in the same folder: each is there all the time, with the one content or the other.
    fn exchange(&self, one: &EspPath, other: &EspPath) -> io::Result<()>;
    /// Removes a file. Its name is gone from the disk when this returns, and its room is free only after that: the other way round, the
    /// name could come back after a loss of power, with room that another file has by then.
    fn remove(&self, file: &EspPath) -> io::Result<()>;
    /// Brings everything to the disk.
    fn sync(&self) -> io::Result<()>;
    /// How much room there is.
    fn room(&self) -> io::Result<Room>;
}

/// What a folder holds under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// A file's size in bytes.
    pub size: u64,
    /// When a file was last written, as far as the file system knows (FAT: to two seconds).
    pub modified: SystemTime,
}

/// What lies under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Something that FAT has not: a link, a device.
    Other,
}

/// The room of a file system, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The size of a cluster, to which every file is rounded up.
    pub cluster: u64,
    /// What is free.
    pub free: u64,
}
