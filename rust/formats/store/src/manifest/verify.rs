//! Whether a manifest's signatures suffice.

use std::collections::BTreeSet;

use super::{Class, Entry, Manifest, Whole, whole_text};
use crate::{PublicKey, Signature, StorePath, distinct_contents};

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
    /// Too few good signatures over the whole manifest.
    #[error(
        "the manifest as a whole has {good} good signatures by trusted keys where {needed} are needed (its class: {class})"
    )]
    WholeUnsigned {
        /// The machines that it says it is for.
        class: Class,
        /// Different trusted keys that signed it.
        good: usize,
        /// Signatures needed.
        needed: usize,
    },
    /// The manifest is for other machines, or for none in particular.
    #[error("the manifest is for {}, not for machines of the class {wanted}", said(.found.as_ref()))]
    OtherClass {
        /// The class of this machine.
        wanted: Class,
        /// What the manifest says.
        found: Option<Class>,
    },
}

fn said(class: Option<&Class>) -> String {
    class.map_or_else(
        || "no class of machines in particular".to_owned(),
        |class| format!("machines of the class {class}"),
    )
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

    /// Different keys of which each must have signed.
    pub fn sigs_needed(&self) -> usize {
        self.sigs_needed
    }

    /// Checks that enough trusted keys signed an entry. A content address excuses no path from being signed.
    pub fn check(&self, entry: &Entry) -> Result<(), VerifyError> {
        let good = self.signers(&entry.fingerprint(), &entry.signatures);
        if good >= self.sigs_needed {
            return Ok(());
        }
        Err(VerifyError::TooFewSignatures {
            path: entry.path.clone(),
            good,
            needed: self.sigs_needed,
        })
    }

    /// Checks that enough trusted keys signed a whole manifest for its class of machines.
    pub(crate) fn check_whole(
        &self,
        toplevel: &StorePath,
        whole: &Whole,
        digest: [u8; 32],
    ) -> Result<(), VerifyError> {
        let text = whole_text(toplevel, &whole.class, digest);
        let good = self.signers(&text, &whole.signatures);
        if good >= self.sigs_needed {
            return Ok(());
        }
        Err(VerifyError::WholeUnsigned {
            class: whole.class.clone(),
            good,
            needed: self.sigs_needed,
        })
    }

    /// How many different trusted keys signed a text, as far as it matters: it counts no further than to what is needed.
    fn signers(&self, text: &str, signatures: &BTreeSet<Signature>) -> usize {
        let mut good = BTreeSet::new();
        for key in &self.keys {
            let verifies = |signature| key.verifies(text, signature);
            if !good.contains(key.contents()) && signatures.iter().any(verifies) {
                good.insert(key.contents());
            }
            if good.len() == self.sigs_needed {
                break;
            }
        }
        good.len()
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

    /// Checks that it is for a class of machines, and that enough trusted keys signed it as a whole. Its entries are another question.
    pub fn verify_whole(&self, trust: &Trust, class: &Class) -> Result<(), VerifyError> {
        match &self.whole {
            Some(whole) if whole.class == *class => {
                trust.check_whole(&self.toplevel, whole, self.digest())
            }
            other => Err(VerifyError::OtherClass {
                wanted: class.clone(),
                found: other.as_ref().map(|whole| whole.class.clone()),
            }),
        }
    }
}
