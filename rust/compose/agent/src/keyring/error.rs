//! Why keys are not open, or do not sign.

use std::io;
use std::path::{Path, PathBuf};

use touchstone_sign::SignError;

use crate::holder::{HolderError, NotHeld};
use crate::protocol::KeyName;

/// Why the keys of a policy are not open.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The process that holds them does not run, or one of them cannot be opened.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// What is public of one cannot be read.
    #[error("what is public of the key `{key}` cannot be read: {source}")]
    Unreadable {
        /// Which.
        key: KeyName,
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Certificate or public key of one are not usable, or another's.
    #[error("the key `{key}` cannot be used: {source}")]
    Public {
        /// Which.
        key: KeyName,
        /// The file of its public half, where there is one.
        file: Option<PathBuf>,
        /// Why.
        source: SignError,
    },
    /// One signs something else than its kind says.
    #[error("the key `{0}` signs something else than its kind says")]
    Kind(KeyName),
}

impl KeyringError {
    /// A stable name of the kind of failure, for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::Holder(HolderError::Key(why)) => &why.code,
            Self::Holder(_) => "agent.holder",
            Self::Unreadable { .. } => "input.unreadable",
            Self::Public { source, .. } => source.fault().code(),
            Self::Kind(_) => "key.unsupported",
        }
    }

    /// The key or file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Holder(HolderError::Key(why)) => why.file.as_deref(),
            Self::Unreadable { file, .. } => Some(file),
            Self::Public { file, .. } => file.as_deref(),
            Self::Holder(_) | Self::Kind(_) => None,
        }
    }

    /// What to do.
    pub fn help(&self) -> &str {
        match self {
            Self::Holder(HolderError::Key(why)) => &why.help,
            Self::Holder(_) => "see in the journal what it said, and start the agent again",
            Self::Unreadable { .. } => {
                "check that the file is there, and that the agent's user may read it"
            }
            Self::Public { source, .. } => source.fault().help(),
            Self::Kind(_) => {
                "name a key of that kind: `image` and `pcr` are RSA (or ECDSA, for images), `nix` is what nix-store --generate-binary-cache-key wrote"
            }
        }
    }
}

/// Why something that was approved is not signed.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// There is no such key.
    #[error("there is no key `{0}`")]
    Missing(KeyName),
    /// It signs something else.
    #[error("the key `{0}` signs something else")]
    Kind(KeyName),
    /// Whoever holds it does not sign, or wrongly.
    #[error("{0}")]
    Signer(#[from] SignError),
    /// The same, of a Nix key.
    #[error(transparent)]
    Held(#[from] NotHeld),
}

impl NotSigned {
    /// A stable name of the kind of failure, for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::Missing(_) => "key.missing",
            Self::Kind(_) => "key.unsupported",
            Self::Signer(error) => error.fault().code(),
            Self::Held(why) => &why.code,
        }
    }

    /// What to do.
    pub fn help(&self) -> &str {
        match self {
            Self::Missing(_) | Self::Kind(_) => {
                "ask for a key that the policy has for this: a client's `hello` is told which"
            }
            Self::Signer(error) => error.fault().help(),
            Self::Held(why) => &why.help,
        }
    }
}
