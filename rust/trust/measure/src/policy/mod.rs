//! TPM policies: what a secret is sealed to, so that only predicted machines open it.
//!
//! Everything here is arithmetic on digests, as a TPM does it ([`PolicyDigest`]): the values of registers
//! ([`PcrValues`]), alternatives of any number ([`PolicyTree`]), and policies that a key may renew ([`KeyName`]).
//! [`PcrPolicy`] binds them together: one policy that admits exactly a set of predicted outcomes, and for each outcome
//! the way by which an unsealing session gets there. [`PcrSignatures`] is `.pcrsig`, as systemd reads and writes it.
//!
//! Sources: TPM 2.0 Library, revision 1.59, part 2 (structures) and part 3 (commands), by the section at each function.
//! Compared with tpm2-tools and systemd 257 and 262 beside a software TPM; see `docs/policies.md`.

mod authorize;
mod digest;
mod error;
mod pcr;
mod running;
mod set;
mod signature;
mod tree;

pub use authorize::KeyName;
pub use digest::PolicyDigest;
pub use error::PolicyError;
pub use pcr::{PcrSelection, PcrValues};
pub use running::{Difference, Machine, Moment};
pub use set::{Branch, Outcome, PcrPolicy, check_pcrs};
pub use signature::{
    PcrSignatures, Proof, SignedDigest, check_reference, fingerprint, policy_ref, to_be_signed,
};
pub use tree::PolicyTree;

#[cfg(test)]
mod tests;
