//! Why a closure is refused, before a disk is looked at or after.

use super::RegistryError;
use crate::manifest::stream::StreamError;
use crate::manifest::{ClosureError, VerifyError};
use crate::nar::NarError;
use crate::{AddressError, NarHash, StorePath};

/// Why a closure is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry says nothing of the toplevel.
    #[error("nothing is known of {0}: import its closure, or name the folder of its signatures")]
    Unknown(StorePath),
    /// The registry says nothing of a path that is referred to.
    #[error(
        "{path} refers to {missing}, of which nothing is known: import it, or name the folder of its signatures"
    )]
    Incomplete {
        /// The path that refers.
        path: StorePath,
        /// The path of which nothing is known.
        missing: StorePath,
    },
    /// A manifest is malformed.
    #[error("the manifest is malformed: {0}")]
    Manifest(#[from] StreamError),
    /// A manifest is of another system.
    #[error("the manifest is of {found}, not of {wanted}")]
    OtherToplevel {
        /// The toplevel that is to be verified.
        wanted: StorePath,
        /// The toplevel that the manifest is of.
        found: StorePath,
    },
    /// A path is not signed by enough trusted keys, or a manifest as a whole.
    #[error(transparent)]
    Signatures(#[from] VerifyError),
    /// A path is not signed by enough trusted keys, and its content address does not prove it either.
    #[error("{unsigned}; its content address does not stand in for them: {source}")]
    Address {
        /// The path, and how many signatures it has.
        unsigned: VerifyError,
        /// What is wrong with its content address.
        source: AddressError,
    },
    /// The paths make no closure.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// A path is missing, not readable, or has what no store path may have.
    #[error(transparent)]
    Nar(#[from] NarError),
    /// A path is not what was signed.
    #[error(
        "{path} is not what was signed: its NAR has {found_size} bytes and the hash {found}, not {size} bytes and {signed}"
    )]
    Content {
        /// The path.
        path: StorePath,
        /// The hash that was signed.
        signed: NarHash,
        /// The length that was signed, in bytes.
        size: u64,
        /// The hash of what is there.
        found: NarHash,
        /// The length of what is there, in bytes.
        found_size: u64,
    },
    /// A path goes on behind the end of what was signed.
    #[error("{path} is not what was signed: its NAR has more than {size} bytes")]
    Longer {
        /// The path.
        path: StorePath,
        /// The length that was signed, in bytes.
        size: u64,
    },
    /// A path is what the manifest says, but its name was made of something else.
    #[error(
        "{0} is not what its name was made of: nobody signed it, and its content address is of other content"
    )]
    Name(StorePath),
}
