//! Whether a manifest's signatures suffice.

use std::collections::BTreeSet;

use super::{Entry, Manifest};
use crate::{PublicKey, StorePath, distinct_contents};

/// Why a manifest is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Needing no signature would trust anything.
    #[error("sigsNeeded is 0, which would trust anything: need at least 1 signature")]
    NoneNeeded,
    /// More signatures are needed than there are different trusted keys.
    #[error(
        "{needed} signatures are needed but the trusted keys are only {distinct} different ones: trust more keys or need fewer signatures"
    )]
    TooFewKeys {
        /// Signatures needed.
        needed: usize,
        /// Different keys, by their contents.
        distinct: usize,
    },
    /// The first path with too few good signatures.
    #[error("{path} has {good} good signatures by trusted keys where {needed} are needed")]
    TooFewSignatures {
        /// The path.
        path: StorePath,
        /// Different trusted keys that signed it.
        good: usize,
        /// Signatures needed.
        needed: usize,
    },
}

/// Whom a closure must be signed by: the trusted keys, and how many different ones of them must have signed each path.
#[derive(Debug, Clone)]
pub struct Trust {
    keys: Vec<PublicKey>,
    sigs_needed: usize,
}

impl Trust {
    /// Trust in `sigs_needed` of the keys at least. Keys are told apart by their contents: one key under two names counts once.
    pub fn new(keys: Vec<PublicKey>, sigs_needed: usize) -> Result<Self, VerifyError> {
        if sigs_needed == 0 {
            return Err(VerifyError::NoneNeeded);
        }
        let distinct = distinct_contents(&keys);
        if distinct < sigs_needed {
            return Err(VerifyError::TooFewKeys {
                needed: sigs_needed,
                distinct,
            });
        }
        Ok(Self { keys, sigs_needed })
    }

    /// The trusted keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Checks that enough trusted keys signed an entry. A content address excuses no path from being signed.
    pub fn check(&self, entry: &Entry) -> Result<(), VerifyError> {
        let good = entry.signers(&self.keys).len();
        if good >= self.sigs_needed {
            return Ok(());
        }
        Err(VerifyError::TooFewSignatures {
            path: entry.path.clone(),
            good,
            needed: self.sigs_needed,
        })
    }
}

impl Manifest {
    /// Checks that every path is signed by at least `sigs_needed` *different* trusted keys, as [`Trust`] says.
    ///
    /// This says that the manifest is authentic, not that any disk holds what it lists.
    pub fn verify(&self, trusted: &[PublicKey], sigs_needed: usize) -> Result<(), VerifyError> {
        let trust = Trust::new(trusted.to_vec(), sigs_needed)?;
        self.entries().try_for_each(|entry| trust.check(entry))
    }
}

impl Entry {
    /// The contents of the trusted keys that signed this entry.
    pub fn signers<'k>(&self, trusted: &'k [PublicKey]) -> BTreeSet<&'k [u8; 32]> {
        let fingerprint = self.fingerprint();
        let signed = |key: &&PublicKey| {
            self.signatures
                .iter()
                .any(|signature| key.verifies(&fingerprint, signature))
        };
        trusted
            .iter()
            .filter(signed)
            .map(PublicKey::contents)
            .collect()
    }
}
