//! Why the log does not take an entry, or is not opened.

use std::io;
use std::path::{Path, PathBuf};

use super::entry::Sequence;
use super::note::SignFault;

/// Why the log does not take an entry, or is not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// A setting is out of bounds.
    #[error("`log.{field}` of the policy {fact}")]
    Settings {
        /// Its name in the policy.
        field: &'static str,
        /// What it must be.
        fact: String,
    },
    /// Another agent writes this log.
    #[error("another agent writes this log")]
    Busy {
        /// The log's folder.
        folder: PathBuf,
    },
    /// Others may write where the log lies.
    #[error("others than its owner may write into the folder of the log (mode {mode:o})")]
    Loose {
        /// The folder.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The folder is somebody else's.
    #[error("the folder of the log belongs to user {owner}, and the agent is user {own}")]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who the agent runs as.
        own: u32,
    },
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// With which file or folder.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The file system cannot take space before it is needed.
    #[error("the file system cannot set space aside, so a full disk could stop the log: {source}")]
    NoPreallocation {
        /// The log's folder.
        folder: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// There is no room for a segment when the log is opened.
    #[error("the disk has no room for a segment of {bytes} bytes")]
    NoRoom {
        /// The log's folder.
        folder: PathBuf,
        /// Bytes of the segment and its reserve.
        bytes: u64,
    },
    /// The last segment is not what an agent leaves, even one that was killed.
    #[error("line {line} is not what an agent wrote: {fact}")]
    Damaged {
        /// The segment.
        file: PathBuf,
        /// The line, the first is 1.
        line: u64,
        /// What is wrong with it.
        fact: String,
    },
    /// A checkpoint of this log says that there were more entries.
    #[error(
        "the log ends with entry {last}, and a checkpoint has signed entry {signed}: entries are gone"
    )]
    Truncated {
        /// The checkpoint.
        file: PathBuf,
        /// The entry that it names.
        signed: Sequence,
        /// The last that is there.
        last: Sequence,
    },
    /// A checkpoint of this log names another line.
    #[error(
        "entry {sequence} is not the one that a checkpoint has signed: it or one before it was rewritten"
    )]
    Rewritten {
        /// The checkpoint.
        file: PathBuf,
        /// The entry that it names.
        sequence: Sequence,
    },
    /// The disk is full: nothing may be signed.
    #[error("the disk is full: nothing is signed until the log can begin its next segment")]
    Full,
    /// The disk is full and the reserve nearly used up: the refusal is counted, and has no entry of its own.
    #[error("the disk is full: the refusal was counted, and has no entry of its own")]
    Counted,
    /// An entry is too long. Nothing was written.
    #[error("the entry has {bytes} bytes, and the longest one {limit}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
        /// The longest that may be.
        limit: usize,
    },
    /// Writing failed before: nobody knows what is on the disk, and nothing more is written.
    #[error("the log could not be written: {0}")]
    Failed(String),
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// A checkpoint could not be signed.
    #[error("the checkpoint could not be signed: {0}")]
    Signer(#[from] SignFault),
}

impl LogError {
    pub(super) fn system(what: &'static str, file: &Path) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::System { what, file, source }
    }

    /// A stable name of the kind of failure, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "log.settings",
            Self::Busy { .. } => "log.busy",
            Self::Loose { .. } => "log.loose",
            Self::Foreign { .. } => "log.foreign",
            Self::System { .. } => "log.system",
            Self::NoPreallocation { .. } => "log.no-preallocation",
            Self::NoRoom { .. } => "log.no-room",
            Self::Damaged { .. } => "log.damaged",
            Self::Truncated { .. } => "log.truncated",
            Self::Rewritten { .. } => "log.rewritten",
            Self::Full => "log.full",
            Self::Counted => "log.counted",
            Self::TooLong { .. } => "log.too-long",
            Self::Failed(_) => "log.failed",
            Self::Closed => "log.closed",
            Self::Signer(_) => "log.signer",
        }
    }

    /// The file or folder it happened to.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::System { file, .. }
            | Self::Damaged { file, .. }
            | Self::Truncated { file, .. }
            | Self::Rewritten { file, .. } => Some(file),
            Self::Busy { folder }
            | Self::Loose { folder, .. }
            | Self::Foreign { folder, .. }
            | Self::NoPreallocation { folder, .. }
            | Self::NoRoom { folder, .. } => Some(folder),
            _ => None,
        }
    }

    /// What to do.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Settings { .. } => "correct the policy file; docs/agent-log.md has the settings",
            Self::Busy { .. } => "stop the other agent, or give this one another state folder",
            Self::Loose { .. } => "take the permission to write from group and others (chmod go-w)",
            Self::Foreign { .. } => "give the folder to the agent's user (chown)",
            Self::System { .. } => "look at the file, its owner and permissions, and at the disk",
            Self::NoPreallocation { .. } => "put the state folder on ext4, XFS, Btrfs or tmpfs",
            Self::NoRoom { .. } => {
                "make room on the disk, or choose smaller segments in the policy (log.segmentSize)"
            }
            Self::Damaged { .. } | Self::Truncated { .. } | Self::Rewritten { .. } => {
                "find out what happened: keep the folder as it is, look with `touchstone agent log verify`, and move it away before the agent begins a new log"
            }
            Self::Full | Self::Counted => "make room on the disk that holds the state folder",
            Self::TooLong { .. } => "ask for less at once",
            Self::Failed(_) => {
                "look at the disk, then start the agent again: it keeps what was written whole"
            }
            Self::Closed => "start the agent again",
            Self::Signer(_) => "look at the key of checkpoints that the policy names",
        }
    }

    /// Whether this is a full disk.
    pub(super) fn is_no_space(source: &io::Error) -> bool {
        matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}
