//! Which entries are authentic.

use std::panic::resume_unwind;
use std::thread;

use super::{Expected, Refused, Trust};
use crate::manifest::VerifyError;
use crate::{Entry, Proof, StorePath};

/// Most threads: with more of them it does not get faster, but takes more memory.
const THREADS_MAX: usize = 8;

/// What entries' paths must be, in their order, judged at the same time: a signature takes as long as hashing some 100 KiB.
///
/// # Errors
/// [`Refused`]; of several bad entries the first.
pub(super) fn all(
    entries: &[Entry],
    toplevel: &StorePath,
    trust: &Trust,
) -> Result<Vec<Expected>, Refused> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(THREADS_MAX);
    let share = entries.len().div_ceil(threads).max(1);
    let judge = |entries: &[Entry]| -> Result<Vec<Expected>, Refused> {
        let judged = entries.iter().map(|entry| one(entry, toplevel, trust));
        judged.collect()
    };
    thread::scope(|scope| {
        let judge = &judge;
        let shares = entries.chunks(share);
        let shares: Vec<_> = shares
            .map(|share| scope.spawn(move || judge(share)))
            .collect();
        let mut judged = Vec::with_capacity(entries.len());
        for share in shares {
            judged.extend(share.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(judged)
    })
}

/// What an entry's path must be, when enough trusted keys say so; or, of what is not the toplevel, when its name was made of what it holds. The
/// latter is authentic where something authentic refers to it.
///
/// # Errors
/// [`Refused`].
pub(super) fn one(entry: &Entry, toplevel: &StorePath, trust: &Trust) -> Result<Expected, Refused> {
    let proof = match trust.check(entry) {
        Ok(()) => Proof::Nar,
        Err(unsigned) if entry.path == *toplevel => return Err(unsigned.into()),
        Err(unsigned) => by_content(entry, unsigned)?,
    };
    entry.plausible()?;
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
