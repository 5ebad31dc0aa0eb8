//! The log, open for writing.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use std::fs::File;

use super::checkpoint::Checkpoint;
use super::desk::Desk;
use super::entry::{ENTRY_LIMIT, Sequence};
use super::error::LogError;
use super::event::{Event, Signed};
use super::segment::{Fresh, NoSpace};
use super::settings::Settings;
use super::state::{Added, Place, Space, State, Want, write};

/// All that the threads of a log share. Whoever takes both locks takes `desk` first.
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) settings: Settings,
    /// The log's name.
    pub(super) name: String,
    /// Held as long as the log is open: one agent writes it.
    pub(super) lock: Mutex<Option<File>>,
    pub(super) state: Mutex<State>,
    pub(super) desk: Mutex<Desk>,
    /// Something was written, or somebody who signed is done.
    pub(super) moved: Condvar,
    /// There is something for the keeper of checkpoints.
    pub(super) wake: Condvar,
}

/// What a log says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its name: 32 hexadecimal digits.
    pub log: String,
    /// The last entry that is on the disk.
    pub last: Sequence,
    /// The segment that is written.
    pub segment: u64,
    /// Entries that no checkpoint covers yet.
    pub without_checkpoint: u64,
    /// The disk is full: nothing is signed.
    pub full: bool,
    /// Why nothing more is written, if so.
    pub failure: Option<String>,
    /// The folders of exports that did not take the last checkpoint.
    pub failing_exports: Vec<PathBuf>,
}

/// A lock, whoever panicked while holding it: what it guards is changed in single steps.
pub(super) fn hold<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

type Held<'a> = MutexGuard<'a, State>;

impl Shared {
    /// Waits until something was written.
    fn wait<'a>(&self, state: Held<'a>) -> Held<'a> {
        self.moved
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry and waits until it is on the disk.
    pub(super) fn append(&self, event: Event) -> Result<Added, LogError> {
        let event = event.bounded();
        let want = match event.is_of_the_agent() {
            true => Want::OfTheAgent,
            false => Want::Other,
        };
        loop {
            let mut state = hold(&self.state);
            state.alive()?;
            match state.add(&event, want)? {
                Ok(added) => return self.commit(state, added),
                Err(Place::Next) => {
                    drop(state);
                    self.rotate()?;
                }
                Err(_) if want == Want::OfTheAgent => return Err(LogError::Full),
                Err(_) => {
                    state.count()?;
                    let last = state.last;
                    self.settle(state, last)?;
                    return Err(LogError::Counted);
                }
            }
        }
    }

    /// Keeps room for an entry that says what was signed.
    pub(super) fn permit(&self) -> Result<(), LogError> {
        loop {
            let mut state = hold(&self.state);
            state.alive()?;
            match state.place(Want::Permit, ENTRY_LIMIT as u64) {
                Place::Here => {
                    state.permits += 1;
                    return Ok(());
                }
                Place::Next => {
                    drop(state);
                    self.rotate()?;
                }
                Place::Later => drop(self.wait(state)),
                Place::Nowhere => return Err(LogError::Full),
            }
        }
    }

    /// Adds the entry of what was signed, for which room was kept, and waits until it is on the disk.
    fn record(&self, signed: Signed) -> Result<Added, LogError> {
        let mut state = hold(&self.state);
        state.alive()?;
        match state.add(&Event::Signed(signed), Want::Permitted)? {
            Ok(added) => self.commit(state, added),
            Err(_) => Err(LogError::Full),
        }
    }

    fn commit<'a>(&'a self, state: Held<'a>, added: Added) -> Result<Added, LogError> {
        self.settle(state, added.sequence).map(|()| added)
    }

    /// Waits until this entry is on the disk. Whoever finds nobody writing writes all that waits, for everybody.
    fn settle<'a>(&'a self, mut state: Held<'a>, entry: Sequence) -> Result<(), LogError> {
        loop {
            if state.committed >= entry {
                return Ok(());
            }
            state.alive()?;
            if state.busy {
                state = self.wait(state);
                continue;
            }
            let lines = std::mem::take(&mut state.pending);
            let (last, at, file) = (state.last, state.written, state.file.clone());
            state.busy = true;
            drop(state);
            let result = write(&file, &lines, at);
            state = hold(&self.state);
            state.busy = false;
            // Said to each who waits, by `alive`.
            let _ = state.wrote(result, lines.len(), last);
            self.moved.notify_all();
            if state.unsigned >= self.settings.checkpoint_entries {
                self.wake.notify_all();
            }
        }
    }

    /// Begins the next segment, if this one is (still) so full that it should; that there is no room for it is no error but a state.
    fn rotate(&self) -> Result<(), LogError> {
        let mut desk = hold(&self.desk);
        let mut state = hold(&self.state);
        while state.busy {
            state = self.wait(state);
        }
        state.alive()?;
        // Somebody else may have done it in the meantime, or found that it cannot be done.
        if state.place(Want::Permit, ENTRY_LIMIT as u64) != Place::Next {
            return Ok(());
        }
        let mut kept = None;
        let begun = self.begin_segment(&mut desk, &mut state, &mut kept);
        let settled = match begun {
            Ok(()) => state.room(),
            Err(NoSpace::Full) => state.no_room(),
            Err(NoSpace::Other(error)) => {
                state.failure = Some(error.to_string());
                Err(error)
            }
        };
        let settled = settled.and_then(|()| state.flush());
        self.moved.notify_all();
        settled?;
        drop(state);
        match kept {
            Some((checkpoint, note)) => self.publish(&mut desk, &checkpoint, &note),
            None => Ok(()),
        }
    }

    /// The space first, then a checkpoint as the last entry of the old segment, so that older ones can be kept elsewhere.
    fn begin_segment(
        &self,
        desk: &mut Desk,
        state: &mut State,
        kept: &mut Option<(Checkpoint, String)>,
    ) -> Result<(), NoSpace> {
        let space = Space::new(&self.settings);
        let fresh = Fresh::prepare(&self.folder, state.number + 1, space.whole())?;
        if state.unsigned > 0 {
            *kept = Some(self.last_checkpoint(desk, state)?);
        }
        state.flush().map_err(NoSpace::Other)?;
        let (line, added) = state.first_line(&self.name).map_err(NoSpace::Other)?;
        let file = fresh.begin(&line)?;
        state.begun(space, file, line.len() as u64, added);
        Ok(())
    }

    /// The checkpoint at a segment's end.
    fn last_checkpoint(
        &self,
        desk: &mut Desk,
        state: &mut State,
    ) -> Result<(Checkpoint, String), NoSpace> {
        let added = state
            .add(&Event::Checkpoint, Want::OfTheAgent)
            .map_err(NoSpace::Other)?;
        let added = added.map_err(|_| NoSpace::Full)?;
        state.flush().map_err(NoSpace::Other)?;
        let checkpoint = self.checkpoint_of(added);
        match desk.keep(&checkpoint) {
            Ok(note) => Ok((checkpoint, note)),
            Err(LogError::System { source, .. }) if LogError::is_no_space(&source) => {
                Err(NoSpace::Full)
            }
            Err(error) => Err(NoSpace::Other(error)),
        }
    }

    fn checkpoint_of(&self, added: Added) -> Checkpoint {
        Checkpoint {
            log: self.name.clone(),
            sequence: added.sequence,
            head: added.digest,
            time: added.time,
        }
    }

    /// Makes a checkpoint of all that was written; where that is one already, it is that.
    pub(super) fn checkpoint(&self) -> Result<String, LogError> {
        let mut desk = hold(&self.desk);
        {
            let state = hold(&self.state);
            state.alive()?;
            if let (0, Some(last)) = (state.unsigned, &desk.last) {
                return Ok(last.clone());
            }
        }
        // Of the agent: never the first of a segment, which would wait for the desk.
        let added = self.append(Event::Checkpoint)?;
        let checkpoint = self.checkpoint_of(added);
        let kept = desk.keep(&checkpoint);
        if kept.is_err() {
            // The next one is still due.
            hold(&self.state).unsigned += 1;
        }
        let note = kept?;
        self.publish(&mut desk, &checkpoint, &note)?;
        Ok(note)
    }

    /// Exports a checkpoint that is kept, and writes down what fails.
    pub(super) fn publish(
        &self,
        desk: &mut Desk,
        checkpoint: &Checkpoint,
        note: &str,
    ) -> Result<(), LogError> {
        // Folders may be slow: nobody waits for them with the state in hand.
        for failed in desk.export(checkpoint, note) {
            let folder = failed.folder.display().to_string();
            let what = failed.source.to_string();
            self.append(Event::ExportFailed { folder, what })?;
        }
        Ok(())
    }

    /// Writes down that the agent stops, and how many refusals had no entry.
    pub(super) fn stop(&self) -> Result<(), LogError> {
        hold(&self.state).tell()?;
        self.append(Event::Stopped).map(drop)
    }

    pub(super) fn status(&self) -> Status {
        let failing_exports = hold(&self.desk).failing();
        let state = hold(&self.state);
        Status {
            log: self.name.clone(),
            last: state.committed,
            segment: state.number,
            without_checkpoint: state.unsigned,
            full: state.full.is_some(),
            failure: state.failure.clone(),
            failing_exports,
        }
    }
}

/// The right to sign one thing: room for its entry is kept until it is written, or this is dropped.
pub struct Permit<'a> {
    shared: &'a Shared,
}

impl<'a> Permit<'a> {
    pub(super) const fn new(shared: &'a Shared) -> Self {
        Self { shared }
    }

    /// Writes down what was signed, and waits until the disk has it. Only then may the signature be given out.
    ///
    /// # Errors
    /// [`LogError`]: the signature must not be given out.
    pub fn record(self, signed: Signed) -> Result<Sequence, LogError> {
        self.shared.record(signed).map(|added| added.sequence)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = hold(&self.shared.state);
        state.permits = state.permits.saturating_sub(1);
        drop(state);
        self.shared.moved.notify_all();
    }
}

/// Why a lock on a log's folder is not to be had.
pub(super) fn lock(folder: &Path) -> Result<File, LogError> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = folder.join("lock");
    let failed = LogError::system("the log cannot be locked", &file);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options.open(&file).map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(LogError::Busy {
            folder: folder.to_owned(),
        }),
        Err(std::fs::TryLockError::Error(source)) => {
            Err(LogError::system("the log cannot be locked", &file)(source))
        }
    }
}
