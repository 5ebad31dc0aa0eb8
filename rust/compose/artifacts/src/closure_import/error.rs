//! Why a closure is not imported.

use std::io;
use std::path::{Path, PathBuf};

use touchstone_store::StorePath;
use touchstone_store::closure::stream::StreamError;
use touchstone_store::closure::{Circle, RegistryError};
use touchstone_store::manifest::VerifyError;
use touchstone_store::nar::{NarDigest, NarError, ReadError};

use super::unpack::UnpackError;

/// Why a closure is neither imported nor exported. What was published before is whole and registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The keys do not suffice, or a path is not signed by enough of them.
    #[error(transparent)]
    Signatures(#[from] VerifyError),
    /// The machine has Nix, which would collect what it does not know.
    #[error("this machine's store belongs to Nix: its database is {}", .0.display())]
    NixDatabase(PathBuf),
    /// The store cannot be written to.
    #[error("the store {} is read-only and cannot be remounted: {source}", store.display())]
    ReadOnly {
        /// The store's folder.
        store: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The sources cannot be read together.
    #[error("standard input and other streams come alone: name one stream, or folders")]
    Sources,
    /// A stream has no usable index, or goes on behind its end.
    #[error("the stream is not usable: {0}")]
    Stream(#[from] StreamError),
    /// What a folder, or the registry of this machine, says of a path cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A path that was asked for is neither offered nor here.
    #[error("{0} is in none of the sources, and not registered on this machine by trusted keys")]
    NotOffered(StorePath),
    /// A path refers to one that is neither offered nor here.
    #[error(
        "{path} refers to {missing}, which is in none of the sources, and not registered here by trusted keys"
    )]
    Missing {
        /// The path that refers.
        path: StorePath,
        /// The path that is missing.
        missing: StorePath,
    },
    /// Paths refer to each other in a circle.
    #[error(transparent)]
    Circle(#[from] Circle),
    /// A path's archive is compressed in a way that is not read here.
    #[error("{path} is compressed as `{compression}`: only none, xz and zstd are read")]
    Compression {
        /// The path.
        path: StorePath,
        /// The name of the compression.
        compression: String,
    },
    /// A folder says nothing of where a path's archive lies.
    #[error("the source has no URL of the NAR of {0}")]
    NoArchive(StorePath),
    /// There is no room.
    #[error(
        "the NARs have {needed} bytes, and {} has {available} bytes free; {reserve} of them must stay free", store.display()
    )]
    Room {
        /// The store's folder.
        store: PathBuf,
        /// Bytes of NAR.
        needed: u64,
        /// Bytes that are free.
        available: u64,
        /// Bytes that stay free.
        reserve: u64,
    },
    /// Something else stands where a path goes.
    #[error("{} is there, not registered by trusted keys, and not what is offered", .0.display())]
    Occupied(PathBuf),
    /// A path that is there cannot be hashed, or has what no store path may have.
    #[error(transparent)]
    There(#[from] NarError),
    /// A NAR cannot be unpacked.
    #[error("{path} cannot be unpacked: {source}")]
    Unpack {
        /// The path.
        path: StorePath,
        /// What is wrong with the NAR, or with the disk.
        source: ReadError<UnpackError>,
    },
    /// A NAR, or a path on the disk, is not what was signed.
    #[error(
        "{path} is not what its signature says: the hash is {}, the size {} bytes, where {} and {} bytes were signed", found.hash, found.size, signed.hash, signed.size
    )]
    Content {
        /// The path.
        path: StorePath,
        /// What was signed.
        signed: NarDigest,
        /// What was found.
        found: NarDigest,
    },
    /// Something follows a NAR in its file.
    #[error("the archive of {0} goes on behind the end of the NAR")]
    Trailing(StorePath),
    /// A path without any signature would be taken by nobody.
    #[error("{0} is not signed")]
    Unsigned(StorePath),
    /// Nothing is known of a path that is to be exported.
    #[error("nothing is known of {0}, neither its hash nor its signatures")]
    Unknown(StorePath),
    /// A file or folder cannot be read, written or renamed.
    #[error("{what} {} failed: {source}", file.display())]
    System {
        /// What was done.
        what: &'static str,
        /// To which file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl ImportError {
    /// What the person who reads this can do.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Self::Signatures(VerifyError::TooFewSignatures { .. }) => {
                "sign the paths where they are built (`nix store sign`, `nix copy --to 'file://FOLDER?secret-key=FILE'`, `touchstone run` with manifest.sign), or trust the key that signed them"
            }
            Self::Signatures(_) => "give --trusted-public-key for each key that must have signed",
            Self::NixDatabase(_) => {
                "use `nix copy --from file://FOLDER PATH` on a machine with Nix"
            }
            Self::ReadOnly { .. } => {
                "run it as root where /nix/store is a mount of its own, or import into an image with --root"
            }
            Self::Sources => "name folders of binary caches, or `-` alone",
            Self::Stream(_) => "make the stream again with `touchstone closure export`",
            Self::Registry(_) => {
                "remove the damaged .narinfo and import its path again; the path itself is kept when it is what was signed"
            }
            Self::NotOffered(_) | Self::Missing { .. } => {
                "copy the whole closure, or import first what it was left out of"
            }
            Self::Circle(_) => "make the source again; Nix makes no such paths",
            Self::Compression { .. } => {
                "copy with `nix copy --to 'file://FOLDER?compression=zstd'`, xz or none"
            }
            Self::NoArchive(_) => {
                "name the folder of a binary cache, as `nix copy --to file://…` makes it"
            }
            Self::Room { .. } => "make room; nothing was written",
            Self::Occupied(_) => {
                "find out who wrote it; import again with --repair to replace it by what is signed"
            }
            Self::There(_) => "correct what is named, or import again with --repair",
            Self::Unpack { .. } | Self::Content { .. } | Self::Trailing(_) => {
                "copy the path again: it was damaged or changed; nothing of it is in the store"
            }
            Self::Unsigned(_) => {
                "sign it: `nix store sign --key-file FILE --recursive PATH` before `nix copy`, or manifest.sign"
            }
            Self::Unknown(_) => {
                "name a signed manifest, or the folder of a binary cache that has its .narinfo"
            }
            Self::System { .. } => {
                "check rights and room; what was published before is whole, and another run completes the rest"
            }
        }
    }

    /// The file that the failure is about.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::NixDatabase(file) | Self::Occupied(file) | Self::System { file, .. } => {
                Some(file)
            }
            Self::ReadOnly { store, .. } | Self::Room { store, .. } => Some(store),
            _ => None,
        }
    }
}

/// The failure of one call of the system.
pub(crate) fn failed(
    what: &'static str,
    file: impl Into<PathBuf>,
) -> impl FnOnce(io::Error) -> ImportError {
    let file = file.into();
    move |source| ImportError::System { what, file, source }
}

/// The failure as that of an operation.
pub(crate) fn refused(error: ImportError) -> crate::Error {
    crate::Error::Closure(Box::new(error))
}
