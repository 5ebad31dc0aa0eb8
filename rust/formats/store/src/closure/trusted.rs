//! What is to be hashed: paths of which every one is known to be what somebody trusted wanted.

use std::collections::BTreeSet;

use super::{Refused, Registry, Trust};
use crate::manifest::ClosureError;
use crate::{Entry, NarHash, StorePath};

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

/// What makes a path authentic. Hash and size of the NAR must be as [`Expected`] says in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The NAR's hash itself: it is signed, or it is what the path's name was made of.
    Nar,
    /// Another hash of the whole NAR: the path's name was made of it.
    Whole(Digest),
    /// The hash of a file's content: the path's name was made of it. The path must be one regular file that is not executable.
    Flat(Digest),
    /// The hash of the NAR *modulo* the path's own hash part: each place where these 32 characters stand in the NAR is read as 32 zero
    /// bytes, and behind the NAR comes `|<offset, decimal>` of each place, in order. The path's name was made of it.
    Modulo(Digest),
}

/// The hash that a content address holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-512.
    Sha512(Box<[u8; 64]>),
}

impl Trusted {
    /// The closure by what a registry says: the walk begins at the toplevel and follows signed references only. No disk is looked at.
    ///
    /// # Errors
    /// [`Refused`] when something that is reached is unknown or not signed by enough trusted keys.
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
            paths.push(expected(&entry, trust)?);
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

/// What an entry's path must be, when enough trusted keys say so.
fn expected(entry: &Entry, trust: &Trust) -> Result<Expected, Refused> {
    trust.check(entry)?;
    if entry.nar_size == 0 {
        return Err(ClosureError::NoSize(entry.path.clone()).into());
    }
    Ok(Expected {
        path: entry.path.clone(),
        nar_hash: entry.nar_hash,
        nar_size: entry.nar_size,
        proof: Proof::Nar,
    })
}
