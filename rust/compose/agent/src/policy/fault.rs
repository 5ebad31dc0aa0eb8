//! Why a policy is refused.

use std::path::PathBuf;

use super::{FileFault, LIMIT, VERSION};

/// A policy that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy {}: {fault}", file.display())]
pub struct PolicyError {
    /// The policy.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a policy. Texts name the place, the fact and a way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Longer than [`LIMIT`].
    #[error("it has {0} bytes; at most {LIMIT} are read")]
    TooLong(usize),
    /// No JSON, or a key twice.
    #[error("it is no usable JSON: {0}")]
    Json(String),
    /// A field that is not known or missing, or of another type.
    #[error("{at}: {fact}; `touchstone agent schema` prints what a policy may have")]
    Document {
        /// The place in the document.
        at: String,
        /// What is wrong there.
        fact: String,
    },
    /// A version that this program does not know.
    #[error("it has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// Something is loose, contradicts itself or means nothing.
    #[error("{at}: {fact}; {help}")]
    Refused {
        /// The place in the document.
        at: String,
        /// What is wrong there.
        fact: String,
        /// What to do.
        help: &'static str,
    },
    /// A file that somebody else may read or write.
    #[error(transparent)]
    File(#[from] FileFault),
}

/// A refusal of something at a place.
pub(super) fn refused(at: impl Into<String>, fact: impl Into<String>, help: &'static str) -> Fault {
    Fault::Refused {
        at: at.into(),
        fact: fact.into(),
        help,
    }
}
