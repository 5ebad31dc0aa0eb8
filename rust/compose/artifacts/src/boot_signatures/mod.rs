//! Signatures of boot artifacts that are made where the key is: `boot.requests`, `boot.sign`, and `detached` of `boot.artifacts`.
//!
//! For each image there are two files, named by its Authenticode SHA-256 in hex: `<digest>.signed-data`, the signed attributes as
//! `pe.prepare` writes them, and `<digest>.signature`, the bare signature of that file. For each signature of a value of PCR 11 there are
//! `<digest>.pcr-data` and `<digest>.pcr-signature`, named by the SHA-256 of the former.

mod folder;
mod pcrs;
mod requests;
mod sign;

pub use folder::DetachedSignatures;
pub(crate) use folder::OpenFolder;
pub use pcrs::{RequestedPcrs, RequestedPolicy};
pub use requests::{RequestSignatures, RequestedSignature, RequestedSignatures};
pub use sign::{SignRequests, SignedRequest, SignedRequests};

/// How the files end that are to be signed.
pub(crate) const SIGNED_DATA: &str = "signed-data";
/// How the signatures' files end.
pub(crate) const SIGNATURE: &str = "signature";
