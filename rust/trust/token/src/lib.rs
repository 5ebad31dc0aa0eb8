//! Signers whose private key lies in a PKCS#11 token, named by RFC 7512 URIs.
//!
//! A module is loaded at run time: only a dynamically linked program can do it. `docs/pkcs11.md` has what is supported.
#![forbid(unsafe_code)]

mod ecdsa;
mod error;
mod key;
mod mechanism;
mod module;
mod pin;
mod public_key;
mod signer;
mod token;
pub mod uri;

pub use error::TokenError;
pub use signer::TokenSigner;
pub use uri::{Uri, UriError};
