//! Which entries are authentic.

use std::panic::resume_unwind;
use std::thread::{self, Builder, ScopedJoinHandle};

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
    let judge = |entries: &[Entry]| -> Judged {
        let judged = entries.iter().map(|entry| one(entry, toplevel, trust));
        judged.collect()
    };
    shared(entries, &judge, Builder::new)
}

/// What was judged of some entries.
type Judged = Result<Vec<Expected>, Refused>;

/// A share of the entries: a thread judges it, or it is judged.
enum Share<'scope> {
    Running(ScopedJoinHandle<'scope, Judged>),
    Done(Judged),
}

impl Share<'_> {
    fn judged(self) -> Judged {
        match self {
            Share::Running(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Share::Done(judged) => judged,
        }
    }
}

/// Judges a share of the entries in each of several threads. Where the system has no thread left, the one that asks does the work.
fn shared(
    entries: &[Entry],
    judge: &(dyn Fn(&[Entry]) -> Judged + Sync),
    thread: fn() -> Builder,
) -> Judged {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = entries.len().div_ceil(threads.min(THREADS_MAX)).max(1);
    thread::scope(|scope| {
        let begin = |share| match thread().spawn_scoped(scope, move || judge(share)) {
            Ok(running) => Share::Running(running),
            Err(_) => Share::Done(judge(share)),
        };
        let shares: Vec<Share<'_>> = entries.chunks(share).map(begin).collect();
        let mut judged = Vec::with_capacity(entries.len());
        for share in shares {
            judged.extend(share.judged()?);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]
mod tests {
    use super::*;
    use crate::{NarHash, SecretKey};

    fn entries(key: &SecretKey) -> Vec<Entry> {
        let paths = (0..9).map(|number| format!("/nix/store/{number:032}-part"));
        let entries = paths.map(|path| {
            let mut entry = Entry {
                path: path.parse().unwrap(),
                nar_hash: NarHash::new([1; 32]),
                nar_size: 120,
                references: [].into(),
                ca: None,
                signatures: [].into(),
            };
            entry.signatures = [key.sign(&entry.fingerprint())].into();
            entry
        });
        entries.collect()
    }

    /// No machine has memory for the stack of such a thread.
    fn no_thread() -> Builder {
        Builder::new().stack_size(usize::MAX / 8)
    }

    #[test]
    fn where_no_thread_can_be_started_the_answer_is_the_same() {
        assert!(no_thread().spawn(|| {}).is_err());
        let key = SecretKey::from_seed("cache", &[1; 32].into()).unwrap();
        let trust = Trust::new(vec![key.public_key()], 1).unwrap();
        let mut entries = entries(&key);
        let toplevel = entries.first().unwrap().path.clone();
        let judge = |entries: &[Entry]| -> Judged {
            let judged = entries.iter().map(|entry| one(entry, &toplevel, &trust));
            judged.collect()
        };
        let alone = shared(&entries, &judge, no_thread).unwrap();
        assert_eq!(alone, all(&entries, &toplevel, &trust).unwrap());
        assert_eq!(alone.len(), entries.len());

        // Of several bad entries the first is named, either way.
        for number in [7, 4] {
            entries.get_mut(number).unwrap().signatures.clear();
        }
        let alone = shared(&entries, &judge, no_thread).unwrap_err().to_string();
        let threads = all(&entries, &toplevel, &trust).unwrap_err().to_string();
        assert_eq!(alone, threads);
        let bad = entries.get(4).unwrap().path.as_str();
        assert!(alone.contains(bad), "{alone}");
    }
}
