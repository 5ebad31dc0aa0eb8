//! The verdict on a closure.

use std::collections::BTreeSet;
use std::path::Path;

use super::check::{Progress, Settings, Store, lies};
use super::{Refused, Registry, Trusted};
use crate::manifest::Trust;
use crate::{Manifest, StorePath};

/// A closure of which every path is signed, and on the disk as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The toplevel and all that it reaches.
    pub manifest: Manifest,
}

/// The closure that trusted keys signed: the walk begins at the toplevel and follows signed references only. No disk is looked at.
///
/// # Errors
/// [`Refused`] when something that is reached is unknown or not signed by enough trusted keys.
pub fn signed(
    toplevel: &StorePath,
    registry: &Registry,
    trust: &Trust,
) -> Result<Manifest, Refused> {
    let known = registry.get(toplevel)?;
    let first = known.ok_or_else(|| Refused::Unknown(toplevel.clone()))?;
    trust.check(&first.entry)?;
    let mut seen = BTreeSet::from([toplevel.clone()]);
    let mut waiting = vec![first.entry];
    let mut reached = Vec::new();
    while let Some(entry) = waiting.pop() {
        for reference in &entry.references {
            if !seen.insert(reference.clone()) {
                continue;
            }
            let known = registry.get(reference)?;
            let found = known.ok_or_else(|| Refused::Incomplete {
                path: entry.path.clone(),
                missing: reference.clone(),
            })?;
            trust.check(&found.entry)?;
            waiting.push(found.entry);
        }
        reached.push(entry);
    }
    Ok(Manifest::new(toplevel.clone(), reached)?)
}

/// The verdict on a closure in a store: signed as [`signed`] says, and each path's content and rights as they must be.
///
/// `store` is the folder that holds the paths (`/nix/store` of the running system). `progress` is told, from several threads, how many
/// bytes of how many are hashed. What is read here can be exchanged before it is read again, by whoever can write to the disk.
///
/// # Errors
/// [`Refused`]; of several bad paths the first by name.
pub fn verify(
    toplevel: &StorePath,
    registry: &Registry,
    trust: &Trust,
    store: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Verified, Refused> {
    let manifest = signed(toplevel, registry, trust)?;
    let trusted = Trusted::from_registry(toplevel, registry, trust)?;
    let store = Store::open(store)?;
    let told = |progress_now: Progress| progress(progress_now.bytes, progress_now.of_bytes);
    let lies = lies(&store, &trusted, &Settings::default(), &told);
    match lies.into_iter().next() {
        Some((_, refused)) => Err(refused),
        None => Ok(Verified { manifest }),
    }
}
