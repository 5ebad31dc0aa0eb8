//! The verdict on a closure.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::{Refused, Registry};
use crate::manifest::Trust;
use crate::nar;
use crate::{Entry, Manifest, StorePath};

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
