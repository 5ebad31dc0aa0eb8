//! The verdict on a closure.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::{Registry, RegistryError};
use crate::manifest::{ClosureError, Trust, VerifyError};
use crate::nar::{self, NarError};
use crate::{Entry, Manifest, NarHash, StorePath};

/// Fewest paths that are hashed at the same time: a cold disk is kept busy by several.
const THREADS_MIN: usize = 4;
/// Bytes of one path between two reports.
const REPORT: u64 = 1 << 20;

/// A closure of which every path is signed, and on the disk as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The toplevel and all that it reaches.
    pub manifest: Manifest,
    /// Bytes of NAR that were hashed.
    pub nar_size: u64,
}

/// Why a closure is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The registry cannot be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The registry says nothing of the toplevel.
    #[error("nothing is known of {0}: import its closure, or name the folder of its signatures")]
    Unknown(StorePath),
    /// The registry says nothing of a path that is referred to.
    #[error(
        "{path} refers to {missing}, of which nothing is known: import it, or name the folder of its signatures"
    )]
    Incomplete {
        /// The path that refers.
        path: StorePath,
        /// The path of which nothing is known.
        missing: StorePath,
    },
    /// A path is not signed by enough trusted keys.
    #[error(transparent)]
    Signatures(#[from] VerifyError),
    /// The paths make no closure.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// A path is missing, not readable, or has what no store path may have.
    #[error(transparent)]
    Nar(#[from] NarError),
    /// A path is not what was signed.
    #[error(
        "{path} is not what was signed: its NAR has {found_size} bytes and the hash {found}, not {size} bytes and {signed}"
    )]
    Content {
        /// The path.
        path: StorePath,
        /// The hash that was signed.
        signed: NarHash,
        /// The length that was signed, in bytes.
        size: u64,
        /// The hash of what is there.
        found: NarHash,
        /// The length of what is there, in bytes.
        found_size: u64,
    },
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
    nar::trusted_folder(store)?;
    let hashing = Hashing {
        store,
        total: manifest.nar_size(),
        done: AtomicU64::new(0),
        progress,
    };
    hashing.all(&manifest)?;
    let nar_size = hashing.total;
    Ok(Verified { manifest, nar_size })
}

/// Many paths, each of which is one stream that only one thread can hash.
struct Hashing<'a> {
    store: &'a Path,
    total: u64,
    done: AtomicU64,
    progress: &'a (dyn Fn(u64, u64) + Sync),
}

impl Hashing<'_> {
    fn all(&self, manifest: &Manifest) -> Result<(), Refused> {
        // The largest first: it takes longest, and nothing can be done beside its end.
        let mut entries: Vec<&Entry> = manifest.entries().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.nar_size));
        let next = AtomicUsize::new(0);
        let bad: Mutex<BTreeMap<&StorePath, Refused>> = Mutex::default();
        let work = || {
            while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
                if let Err(refused) = self.one(entry) {
                    // A poisoned lock still guards the findings of the others.
                    let mut bad = bad.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    bad.insert(&entry.path, refused);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..threads().min(entries.len()) {
                scope.spawn(work);
            }
        });
        let bad = bad
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match bad.into_values().next() {
            Some(refused) => Err(refused),
            None => Ok(()),
        }
    }

    fn say(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        (self.progress)(done, self.total);
    }

    fn one(&self, entry: &Entry) -> Result<(), Refused> {
        let mut unsaid = 0;
        let mut seen = |bytes| {
            unsaid += bytes;
            if unsaid >= REPORT {
                self.say(std::mem::take(&mut unsaid));
            }
        };
        let found = nar::hash_trusted(&self.store.join(entry.path.base_name()), &mut seen)?;
        self.say(unsaid);
        if found.hash == entry.nar_hash && found.size == entry.nar_size {
            return Ok(());
        }
        Err(Refused::Content {
            path: entry.path.clone(),
            signed: entry.nar_hash,
            size: entry.nar_size,
            found: found.hash,
            found_size: found.size,
        })
    }
}

fn threads() -> usize {
    thread::available_parallelism()
        .map_or(THREADS_MIN, |n: NonZero<usize>| n.get().max(THREADS_MIN))
}
