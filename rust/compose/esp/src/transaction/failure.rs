//! What can go wrong while something is done.

use std::io;
use std::path::PathBuf;

use crate::{EspPath, FileSystem};

/// Why a transaction did not end well.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
    /// Something failed before the new files were published for good: everything is as it was.
    #[error("{0}. Everything that was done is undone: all files are as they were")]
    Undone(Failure),
    /// The same, and some of it could not be undone.
    #[error(
        "{failure}. What was done could not be undone everywhere: {}. Run it again when that works",
        list(left)
    )]
    Left {
        /// What failed first.
        failure: Failure,
        /// What could not be undone.
        left: Vec<Failure>,
    },
    /// Everything new is there for good, but not everything old could be removed.
    #[error("the new files are there for good, but not everything that is not needed any more is gone: {}. Run it again when that works", list(.0))]
    Collection(Vec<Failure>),
}

fn list(failures: &[Failure]) -> String {
    let texts: Vec<String> = failures.iter().map(Failure::to_string).collect();
    texts.join("; ")
}

/// Something that could not be done.
#[derive(Debug, thiserror::Error)]
#[error("{volume}{} cannot be {action}: {cause}", at(path))]
pub struct Failure {
    /// The file system.
    pub volume: String,
    /// The path; none when it is the file system or its root.
    pub path: Option<EspPath>,
    /// What was tried.
    pub action: Action,
    /// Why it failed.
    #[source]
    pub cause: Cause,
}

fn at(path: &Option<EspPath>) -> String {
    path.as_ref()
        .map(|path| format!("/{path}"))
        .unwrap_or_default()
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Asking for the room.
    Measure,
    /// Making a folder.
    MakeFolder,
    /// Writing a file under its name for the time being.
    Write,
    /// Bringing something to the disk.
    Sync,
    /// Giving a file its name.
    Publish,
    /// Giving files back the names that they had.
    Restore,
    /// Removing a file or a folder.
    Remove,
}

impl std::fmt::Display for Action {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Action::Measure => "measured",
            Action::MakeFolder => "made",
            Action::Write => "written",
            Action::Sync => "brought to the disk",
            Action::Publish => "put in its place",
            Action::Restore => "put back in its place",
            Action::Remove => "removed",
        })
    }
}

/// Why something failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The file system says so.
    #[error("{0}{advice}", advice = advice(.0))]
    System(#[from] io::Error),
    /// What is to be copied cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Source {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is to be copied is not what it should be.
    #[error("{} is not what was to be copied: its size or SHA-256 is another; it was changed or is damaged, build or fetch it again", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// There is not enough room any more.
    #[error("{needed} bytes are needed and {free} are free; make room")]
    Full {
        /// In bytes, with what is to stay free.
        needed: u64,
        /// In bytes.
        free: u64,
    },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => {
            " (Linux makes a damaged FAT read-only: unmount it, run fsck.fat on it, mount it again)"
        }
        io::ErrorKind::StorageFull => " (make room)",
        _ => "",
    }
}

/// Says where something failed.
pub(super) fn at_path<'a, E: Into<Cause>>(
    fs: &'a impl FileSystem,
    action: Action,
    path: Option<&'a EspPath>,
) -> impl FnOnce(E) -> Failure + 'a {
    move |cause| Failure {
        volume: fs.name().to_owned(),
        path: path.cloned(),
        action,
        cause: cause.into(),
    }
}
