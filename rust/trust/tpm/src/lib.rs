//! Signers whose private key a TPM 2.0 holds.
#![forbid(unsafe_code)]
