//! The Nix store as a verifier needs it: names, hashes, signatures and the list of what a system is made of.
//!
//! - [`StorePath`] and [`StoreFile`]: names in `/nix/store`, checked.
//! - [`NarHash`], [`nar`] and [`base32`]: what a path's content hashes to.
//! - [`SecretKey`], [`PublicKey`], [`Signature`] and [`fingerprint`]: Nix signatures.
//! - [`ContentAddress`]: names that were made of content, recomputed.
//! - [`Manifest`]: a toplevel's closure, each path with its hash, references and signatures (`docs/manifest.md`).
//! - [`NarInfo`]: what a binary cache, or this machine's registry, says of one path.
//! - [`closure`]: whether a toplevel's closure on a disk is what trusted keys signed.
//! - [`json`]: the strict reader that this crate's and Bootspec's documents share.
//!
//! Without the feature `json` (which is on by default) there is neither a JSON reader nor a schema: what runs in an initrd links no more than it
//! needs.
//!
//! Nothing here asks the Nix database: whoever can write the disk can write the database.
#![forbid(unsafe_code)]

pub mod base32;
pub mod closure;
mod content_address;
mod file;
mod fingerprint;
mod hash;
#[cfg(feature = "json")]
pub mod json;
mod key;
pub mod manifest;
pub mod nar;
pub mod narinfo;
mod path;
mod text;

pub use content_address::{AddressError, ContentAddress, ContentAddressError, Digest, Proof};
pub use file::{StoreFile, StoreFileError};
pub use fingerprint::fingerprint;
pub use hash::{NarHash, NarHashError};
pub use key::{KeyError, PublicKey, SecretKey, Signature, distinct_contents};
pub use manifest::{Entry, Manifest, Trust};
pub use narinfo::NarInfo;
pub use path::{STORE_DIR, StorePath, StorePathError};
