//! Would firmware start this image? The rules of EDK II, which most firmware is made of.
//!
//! Source: UEFI specification 2.10, section 32.5 (image validation with `db` and `dbx`), 32.4.1
//! (signature lists), 32.2.4 (the certificate table); where the specification leaves a choice, what
//! EDK II does (`DxeImageVerificationLib` and `BaseCryptLib`, BSD-2-Clause-Patent), in our own
//! words. `docs/verify.md` has the rules as a table.
//!
//! Everything here is a function of its arguments: bytes of the certificate table ([`table`]), the
//! image's digests ([`ImageDigests`]) and the parsed lists ([`Database`]) give a [`Verdict`]. Dates
//! in certificates and the time of a revocation are not looked at, as firmware has no clock that it
//! trusts.
//!
//! A little is read more strictly than by OpenSSL in EDK II: signatures and certificates must be DER
//! (not BER) and names of issuers must be equal byte by byte. Name constraints are not looked at.

mod certificate;
mod chain;
mod database;
mod digest;
mod judge;
mod message;
mod sentence;
mod shim;
pub mod table;
mod verdict;

pub use database::Database;
pub use digest::{DigestKind, ImageDigests};
pub use judge::{digests_needed, judge, leads_to};
pub use shim::objections as objections_of_shim;
pub use verdict::{Reason, Rule, SignatureVerdict, Verdict};

#[cfg(test)]
mod tests;
