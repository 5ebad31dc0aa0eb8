//! Why an agent does not serve.

use std::io;
use std::path::{Path, PathBuf};

use super::SocketError;
use crate::holder::HolderError;
use crate::judge::JudgeError;
use crate::keyring::KeyringError;
use crate::log::LogError;
use crate::policy::PolicyError;

/// Why an agent does not serve, or no more.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The policy cannot be read.
    #[error("the policy cannot be read: {source}")]
    Unreadable {
        /// Its file.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The policy is refused.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// What the policy names cannot be used.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// There are no sockets.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// A key is not open.
    #[error(transparent)]
    Key(#[from] KeyringError),
    /// The key of the log's checkpoints is not open.
    #[error("the key of the log's checkpoints: {0}")]
    CheckpointKey(#[source] HolderError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A folder is not the agent's.
    #[error("the folder {} cannot be used: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// What it answered.
        source: io::Error,
    },
    /// A process that holds keys has ended before its time.
    #[error("a process that holds keys has ended by itself: nothing can be signed any more")]
    HolderEnded,
}

impl ServeError {
    /// A stable name of the kind of failure, for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreadable { .. } => "input.unreadable",
            Self::Policy(_) | Self::Judge(_) => "policy.refused",
            Self::Socket(_) => "agent.socket",
            Self::Key(error) => error.code(),
            Self::CheckpointKey(HolderError::Key(why)) => &why.code,
            Self::CheckpointKey(_) | Self::HolderEnded => "agent.holder",
            Self::Log(_) => "agent.log",
            Self::Folder { .. } => "agent.folder",
            Self::System { .. } => "agent.system",
        }
    }

    /// The file, folder or key.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Unreadable { file, .. } | Self::Folder { folder: file, .. } => Some(file),
            Self::Policy(error) => Some(&error.file),
            Self::Key(error) => error.file(),
            Self::CheckpointKey(HolderError::Key(why)) => why.file.as_deref(),
            Self::Log(error) => error.file(),
            _ => None,
        }
    }

    /// What to do.
    pub fn help(&self) -> &str {
        match self {
            Self::Unreadable { .. } => {
                "check that the path is spelt right, and that the agent's user may read it"
            }
            Self::Policy(_) | Self::Judge(_) => {
                "correct the policy: `touchstone agent check-policy` looks at it, docs/agent-policy.md says what it may have"
            }
            Self::Socket(_) => {
                "let one agent serve at each path; sockets of systemd are called control and direct (FileDescriptorName=)"
            }
            Self::Key(error) => error.help(),
            Self::CheckpointKey(HolderError::Key(why)) => &why.help,
            Self::CheckpointKey(_) | Self::HolderEnded => {
                "see in the journal what it said, and start the agent again"
            }
            Self::Log(_) => {
                "docs/agent-log.md says what the log needs, and what to do where it was changed"
            }
            Self::Folder { .. } => "let the agent's user own it, and let it have room",
            Self::System { .. } => "see that the agent may do this where it runs",
        }
    }
}
