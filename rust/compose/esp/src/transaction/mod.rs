//! The transaction: all plans are carried out, or none.

mod collect;
mod failure;
mod journal;
mod publish;
mod stage;

use crate::{FileSystem, Plan};
pub use failure::{Action, Cause, Failure, TransactionError};
use journal::Journal;

/// Shows how far a transaction is.
pub trait Progress {
    /// A new phase begins: a short present participle, such as `writing`.
    fn phase(&mut self, name: &str);
    /// `done` of `total` bytes are written.
    fn bytes(&mut self, done: u64, total: u64);
}

/// Shows nothing.
pub struct Silent;

impl Progress for Silent {
    fn phase(&mut self, _name: &str) {}
    fn bytes(&mut self, _done: u64, _total: u64) {}
}

/// A file system, and what is done to it.
pub type Volume<'a, F> = (&'a F, &'a Plan<'a>);

/// Carries out the plans of several file systems.
///
/// 1. What interrupted runs left goes, so that its room is free; then there must be enough room everywhere.
/// 2. Everything is written under other names, and synced.
/// 3. It gets its names: policies, what entries name, entries, files of one name; synced after each. The last of these is the *commit*.
/// 4. What nobody wants any more goes.
///
/// Killed or without power at any point, the next run completes it, and until then the machine boots what it booted.
///
/// # Errors
/// [`TransactionError::Undone`] before the commit: every file that was there is as it was, and nothing is new.
/// [`TransactionError::Left`] when that could not be reached either. [`TransactionError::Collection`] after the commit: everything new is
/// there, and so is some of what should have gone.
pub fn transact<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    progress: &mut dyn Progress,
) -> Result<(), TransactionError> {
    let mut journal = Journal::default();
    match commit(volumes, &mut journal, progress) {
        Ok(()) => collect::garbage(volumes, progress),
        Err(failure) => Err(journal.undo(volumes, failure)),
    }
}

fn commit<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    journal: &mut Journal,
    progress: &mut dyn Progress,
) -> Result<(), Failure> {
    collect::leftovers(volumes)?;
    stage::room(volumes)?;
    stage::all(volumes, journal, progress)?;
    progress.phase("publishing");
    publish::all(volumes, journal)
}
