//! Signers whose private key a TPM 2.0 holds.
//!
//! [`KeyUri`] names a key, [`KeyFile`] is one that was made by a TPM and is kept in a file, [`TpmSigner`] lets the TPM sign. The names and
//! files are read without tpm2-tss: the feature `device` adds what links with it.
#![forbid(unsafe_code)]

mod key;
mod tcti;
mod uri;

#[cfg(feature = "device")]
mod context;
#[cfg(feature = "device")]
mod error;
#[cfg(feature = "device")]
mod public;
#[cfg(feature = "device")]
mod session;
#[cfg(feature = "device")]
mod signer;

#[cfg(feature = "device")]
pub use error::TpmError;
pub use key::{Hierarchy, KeyFile, KeyFileError, Parent};
#[cfg(feature = "device")]
pub use signer::{Key, TpmSigner};
pub use tcti::{Tcti, TctiError};
pub use uri::{KeyPlace, KeyUri, UriError};
