//! The digest that a policy session carries, and what each command makes of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{KeyName, PcrValues, PolicyError};
use crate::bank::{Bank, Digest};
use crate::hash::Hasher;

/// `TPM_CC_PolicyAuthorize` (part 2, section 6.5.2), as the other command codes.
const POLICY_AUTHORIZE: u32 = 0x016a;
const POLICY_OR: u32 = 0x0171;
const POLICY_PCR: u32 = 0x017f;

/// How many digests `TPM2_PolicyOR` takes: `TPML_DIGEST` has at most 8 (part 2, section 10.9.3), and one is no choice.
pub(super) const ALTERNATIVES: std::ops::RangeInclusive<usize> = 2..=8;

/// `policyDigest` of a session (part 1, section 19.7): what a sealed object's `authPolicy` is compared with.
///
/// Its length says which hash the session works with, and so which `nameAlg` the sealed object has: 32, 48 or 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Digest", into = "Digest")]
#[schemars(with = "Digest")]
pub struct PolicyDigest(Digest);

impl PolicyDigest {
    /// A session that has just begun: all bytes zero.
    ///
    /// # Errors
    /// [`PolicyError::WeakHash`] for SHA-1: two policies with the same digest could be made.
    pub fn start(hash: Bank) -> Result<PolicyDigest, PolicyError> {
        PolicyDigest::try_from(Digest::zero(hash))
    }

    /// The hash that the session works with.
    pub const fn hash(&self) -> Bank {
        self.0.bank()
    }

    /// The digest itself.
    pub const fn digest(&self) -> Digest {
        self.0
    }

    /// After `TPM2_PolicyPCR` (part 3, section 23.7) on a machine whose registers have these values:
    /// `H(policyDigest ‖ TPM_CC_PolicyPCR ‖ TPML_PCR_SELECTION ‖ H(values))`.
    #[must_use]
    pub fn pcr(&self, values: &PcrValues) -> PolicyDigest {
        let selection = values.selection().to_bytes();
        let digest = values.digest(self.hash());
        self.updated(POLICY_PCR, &[&selection, digest.as_bytes()])
    }

    /// After `TPM2_PolicyOR` (part 3, section 23.6) of these alternatives: `H(0…0 ‖ TPM_CC_PolicyOR ‖ digests)`.
    ///
    /// Their order counts. [`PolicyTree`](super::PolicyTree) takes any number.
    ///
    /// # Errors
    /// [`PolicyError::Alternatives`] unless there are 2 to 8, [`PolicyError::OtherHash`] when they are not of one hash.
    pub fn or(alternatives: &[PolicyDigest]) -> Result<PolicyDigest, PolicyError> {
        let (Some(first), true) = (
            alternatives.first(),
            ALTERNATIVES.contains(&alternatives.len()),
        ) else {
            return Err(PolicyError::Alternatives(alternatives.len()));
        };
        let hash = first.hash();
        if let Some(other) = alternatives.iter().find(|other| other.hash() != hash) {
            return Err(PolicyError::OtherHash {
                wanted: hash,
                found: other.hash(),
            });
        }
        let parts: Vec<&[u8]> = alternatives.iter().map(|one| one.0.as_bytes()).collect();
        Ok(PolicyDigest(Digest::zero(hash)).updated(POLICY_OR, &parts))
    }

    /// After `TPM2_PolicyAuthorize` (part 3, section 23.16) by a key of this name:
    /// `H(H(0…0 ‖ TPM_CC_PolicyAuthorize ‖ keyName) ‖ policyRef)`.
    ///
    /// What the session had done before does not show: the key's signature over it ([`super::to_be_signed`]) does.
    ///
    /// # Errors
    /// [`PolicyError::WeakHash`] for SHA-1.
    pub fn authorize(
        hash: Bank,
        key: &KeyName,
        policy_ref: &[u8],
    ) -> Result<PolicyDigest, PolicyError> {
        let key = PolicyDigest::start(hash)?.updated(POLICY_AUTHORIZE, &[key.as_bytes()]);
        Ok(PolicyDigest(hash_of(
            hash,
            [key.0.as_bytes(), policy_ref].into_iter(),
        )))
    }

    /// `H(policyDigest ‖ command ‖ parts)`.
    fn updated(&self, command: u32, parts: &[&[u8]]) -> PolicyDigest {
        let command = command.to_be_bytes();
        let start = [self.0.as_bytes(), command.as_slice()];
        let all = start.into_iter().chain(parts.iter().copied());
        PolicyDigest(hash_of(self.hash(), all))
    }
}

/// The digest of these bytes, one behind the other.
pub(super) fn hash_of<'a>(hash: Bank, parts: impl Iterator<Item = &'a [u8]>) -> Digest {
    let mut hasher = Hasher::new(hash);
    parts.for_each(|part| hasher.update(part));
    hasher.finish()
}

impl TryFrom<Digest> for PolicyDigest {
    type Error = PolicyError;

    fn try_from(digest: Digest) -> Result<PolicyDigest, PolicyError> {
        match digest.bank() {
            Bank::Sha1 => Err(PolicyError::WeakHash),
            _ => Ok(PolicyDigest(digest)),
        }
    }
}

impl From<PolicyDigest> for Digest {
    fn from(policy: PolicyDigest) -> Digest {
        policy.0
    }
}

impl fmt::Display for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {self}")
    }
}
