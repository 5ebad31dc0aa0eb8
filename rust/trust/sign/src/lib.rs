//! Signatures on boot files: who signs ([`Signer`]), what is signed ([`authenticode`]), who is
//! trusted ([`esl`]) and who may change that ([`auth`]).
//!
//! Everything here is a function of its arguments: the same key, certificate and digest give the
//! same bytes on every machine. The one exception is [`keys`], which makes new keys. RSA
//! blinding draws random numbers too, but they never reach the output.
#![forbid(unsafe_code)]

mod algorithm;
mod attributes;
pub mod auth;
pub mod authenticode;
pub mod certificate;
mod element;
pub mod esl;
mod fault;
mod file;
pub mod firmware;
pub mod keys;
mod pem;
mod private_key;
mod public_key;
mod signer;

pub use algorithm::{Hash, KeyKind};
pub use fault::Fault;
pub use file::FileSigner;
pub use private_key::Work;
pub use public_key::PublicKey;
pub use signer::{CertifiedSigner, SignError, Signer};
pub use x509_cert::Certificate;

#[cfg(test)]
mod test_keys;
