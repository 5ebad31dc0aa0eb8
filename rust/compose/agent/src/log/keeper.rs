//! Checkpoints: made when they are due, kept, and exported.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::checkpoint::Checkpoint;
use super::desk::Desk;
use super::error::LogError;
use super::event::Event;
use super::state::Added;
use super::writer::{Shared, hold};

/// Makes checkpoints until the log closes. One that fails, and an export that fails, is tried again after the time of the settings: that
/// writes no other entry, so a disk may stay full for months.
pub(super) fn keep(shared: &Shared) {
    let after = shared.settings.checkpoint_after();
    let (mut make_at, mut export_at) = (Instant::now(), Instant::now());
    loop {
        let state = hold(&shared.state);
        if state.closing || state.failure.is_some() {
            return;
        }
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        let due = match state.unsigned {
            0 if state.failing_exports.is_empty() => after,
            0 => until(export_at),
            many if many >= shared.settings.checkpoint_entries => until(make_at),
            _ => until(make_at).max(after.saturating_sub(state.unsigned_since.elapsed())),
        };
        if due > Duration::ZERO {
            drop(
                shared
                    .wake
                    .wait_timeout(state, due)
                    .unwrap_or_else(PoisonError::into_inner),
            );
            continue;
        }
        drop(state);
        let made = shared.checkpoint();
        export_at = Instant::now() + after;
        if made.is_err() {
            make_at = export_at;
        }
    }
}

impl Shared {
    /// Makes a checkpoint of all that was written; where that is one already, it is that. A failure is written down once.
    pub(super) fn checkpoint(&self) -> Result<String, LogError> {
        let made = self.make(&mut hold(&self.desk));
        if let Err(error) = &made {
            self.tell(error);
        }
        made
    }

    fn make(&self, desk: &mut Desk) -> Result<String, LogError> {
        // One whose entry is written needs no other.
        if let Some(owed) = desk.owed.clone() {
            self.keep_and_publish(desk, &owed)?;
        }
        let (covered, failing) = {
            let state = hold(&self.state);
            state.alive()?;
            (state.unsigned == 0, !state.failing_exports.is_empty())
        };
        if let (true, Some((checkpoint, note))) = (covered, desk.last.clone()) {
            if failing {
                self.publish(desk, &checkpoint, &note)?;
            }
            return Ok(note);
        }
        let added = self.append_here(Event::Checkpoint)?;
        self.keep_and_publish(desk, &self.checkpoint_of(added))
    }

    fn keep_and_publish(
        &self,
        desk: &mut Desk,
        checkpoint: &Checkpoint,
    ) -> Result<String, LogError> {
        let note = desk.keep(checkpoint)?;
        hold(&self.state).kept();
        self.publish(desk, checkpoint, &note)?;
        Ok(note)
    }

    /// Writes the last checkpoint of a log that is opened out again: whoever was killed may have had no time for it. It has the same bytes
    /// each time. That it cannot be written stops nothing: the disk may be full.
    pub(super) fn keep_again(&self, checkpoint: &Checkpoint) -> Result<(), LogError> {
        let kept = self.keep_and_publish(&mut hold(&self.desk), checkpoint);
        match kept {
            Err(error @ (LogError::System { .. } | LogError::Signer(_))) => self.tell(&error),
            other => drop(other?),
        }
        Ok(())
    }

    /// The checkpoint of this entry.
    pub(super) fn checkpoint_of(&self, added: Added) -> Checkpoint {
        Checkpoint {
            log: self.name.clone(),
            sequence: added.sequence,
            head: added.digest,
            time: added.time,
        }
    }

    /// Exports a checkpoint that is kept, and writes down what fails.
    pub(super) fn publish(
        &self,
        desk: &mut Desk,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<(), LogError> {
        // Folders may be slow: nobody waits for them with the state in hand.
        let failed = desk.export(checkpoint, note);
        hold(&self.state).failing_exports = desk.failing();
        for failed in failed {
            let folder = failed.folder.display().to_string();
            let what = failed.source.to_string();
            match self.append_here(Event::ExportFailed { folder, what }) {
                // The checkpoint is kept, and the status names the folder.
                Ok(_) | Err(LogError::Full) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes down that no checkpoint could be made, the first time.
    fn tell(&self, error: &LogError) {
        let new = hold(&self.state).not_kept(error);
        if new {
            let what = error.to_string();
            // A log that takes no entry has said so to whoever uses it.
            let _ = self.append(Event::CheckpointFailed { what });
        }
    }
}
