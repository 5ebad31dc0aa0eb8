//! Signers whose private key lies in a PKCS#11 token, named by RFC 7512 URIs.
#![forbid(unsafe_code)]

pub mod uri;

pub use uri::{Uri, UriError};
