//! What is to be hashed: paths of which every one is known to be what somebody trusted wanted.

use std::collections::BTreeSet;

use super::{Refused, Registry, Trust};
use crate::manifest::{ClosureError, VerifyError};
use crate::{Entry, NarHash, Proof, StorePath};

/// A closure that is authentic: the toplevel and all that it reaches, each path with what it must hash to. Nothing is kept that hashing
/// does not need, so that the list of 5 000 paths takes about a megabyte.
///
/// There is no way to one but through signatures, see [`Trusted::from_registry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    toplevel: StorePath,
    paths: Vec<Expected>,
}

/// What a path must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The path.
    pub path: StorePath,
    /// SHA-256 of its NAR.
    pub nar_hash: NarHash,
    /// Length of its NAR in bytes.
    pub nar_size: u64,
    /// What must hold beside hash and size of the NAR.
    pub proof: Proof,
}

impl Trusted {
    /// The closure by what a registry says: the walk begins at the toplevel and follows authentic references only. No disk is looked at.
    ///
    /// The toplevel must be signed. What is reached must be signed, or have a content address that makes its name together with its references:
    /// then its content is all that is left to check, and its own references are as authentic as itself.
    ///
    /// # Errors
    /// [`Refused`] when something that is reached is unknown, or neither signed by enough trusted keys nor addressed by its content.
    pub fn from_registry(
        toplevel: &StorePath,
        registry: &Registry,
        trust: &Trust,
    ) -> Result<Self, Refused> {
        let first = registry.get(toplevel)?;
        let first = first.ok_or_else(|| Refused::Unknown(toplevel.clone()))?;
        let mut seen = BTreeSet::from([toplevel.clone()]);
        let mut waiting = vec![first.entry];
        let mut paths = Vec::new();
        while let Some(entry) = waiting.pop() {
            let referred_to = entry.path != *toplevel;
            paths.push(expected(&entry, trust, referred_to)?);
            for reference in &entry.references {
                if !seen.insert(reference.clone()) {
                    continue;
                }
                let known = registry.get(reference)?;
                let found = known.ok_or_else(|| Refused::Incomplete {
                    path: entry.path.clone(),
                    missing: reference.clone(),
                })?;
                waiting.push(found.entry);
            }
        }
        paths.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let toplevel = toplevel.clone();
        Ok(Self { toplevel, paths })
    }

    /// The toplevel.
    pub fn toplevel(&self) -> &StorePath {
        &self.toplevel
    }

    /// The toplevel and all that it reaches, in the order of the paths, each once.
    pub fn paths(&self) -> &[Expected] {
        &self.paths
    }

    /// The sum of the NAR sizes in bytes. Sizes that nobody has are no reason to fail: it ends at the largest number.
    pub fn nar_size(&self) -> u64 {
        self.paths
            .iter()
            .fold(0, |sum, path| sum.saturating_add(path.nar_size))
    }
}

/// What an entry's path must be, when enough trusted keys say so, or when something authentic refers to it and its name was made of what it
/// holds.
fn expected(entry: &Entry, trust: &Trust, referred_to: bool) -> Result<Expected, Refused> {
    let proof = match trust.check(entry) {
        Ok(()) => Proof::Nar,
        Err(unsigned) if referred_to => by_content(entry, unsigned)?,
        Err(unsigned) => return Err(unsigned.into()),
    };
    if entry.nar_size == 0 {
        return Err(ClosureError::NoSize(entry.path.clone()).into());
    }
    Ok(Expected {
        path: entry.path.clone(),
        nar_hash: entry.nar_hash,
        nar_size: entry.nar_size,
        proof,
    })
}

fn by_content(entry: &Entry, unsigned: VerifyError) -> Result<Proof, Refused> {
    match entry.addressed() {
        None => Err(unsigned.into()),
        Some(proof) => proof.map_err(|source| Refused::Address { unsigned, source }),
    }
}
