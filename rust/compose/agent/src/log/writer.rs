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
use super::space::Space;
use super::state::{Added, Place, State, Want, write};

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
    /// Why the last checkpoint could not be signed or kept, if so.
    pub checkpoint_failure: Option<String>,
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

    /// Adds an entry and waits until it is on the disk. It may be the first of a segment: `desk` must be free.
    pub(super) fn append(&self, event: Event) -> Result<Added, LogError> {
        let event = event.bounded();
        let of_the_agent = event.is_of_the_agent();
        loop {
            let mut state = hold(&self.state);
            state.serves()?;
            let next = match of_the_agent {
                true => state.place(Want::Permit, ENTRY_LIMIT as u64) == Place::Next,
                false => match state.add(&event, Want::Other)? {
                    Ok(added) => return self.commit(state, added),
                    Err(place) => place == Place::Next,
                },
            };
            if next {
                drop(state);
                self.rotate()?;
                continue;
            }
            if of_the_agent {
                return self.add_here(state, &event);
            }
            state.count()?;
            let last = state.last;
            self.settle(state, last)?;
            return Err(LogError::Counted);
        }
    }

    /// Adds what is said of checkpoints to this segment, whoever has `desk`, and waits until it is on the disk.
    pub(super) fn append_here(&self, event: Event) -> Result<Added, LogError> {
        let state = hold(&self.state);
        state.alive()?;
        self.add_here(state, &event.bounded())
    }

    fn add_here<'a>(&'a self, mut state: Held<'a>, event: &Event) -> Result<Added, LogError> {
        match state.add(event, Want::OfTheAgent)? {
            Ok(added) => self.commit(state, added),
            Err(_) => Err(LogError::Full),
        }
    }

    /// Keeps room for an entry that says what was signed.
    pub(super) fn permit(&self) -> Result<(), LogError> {
        loop {
            let mut state = hold(&self.state);
            state.serves()?;
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
        state.serves()?;
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
        let mut kept = Vec::new();
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
        kept.iter()
            .try_for_each(|(checkpoint, note)| self.publish(&mut desk, checkpoint, note))
    }

    /// The space first, then a checkpoint as the last entry of the old segment, so that older ones can be kept elsewhere.
    fn begin_segment(
        &self,
        desk: &mut Desk,
        state: &mut State,
        kept: &mut Vec<(Checkpoint, String)>,
    ) -> Result<(), NoSpace> {
        let space = Space::new(&self.settings);
        let fresh = Fresh::prepare(&self.folder, state.number + 1, space.whole())?;
        let failed = self.last_checkpoint(desk, state, kept)?;
        state.flush().map_err(NoSpace::Other)?;
        let (line, added) = state.first_line(&self.name).map_err(NoSpace::Other)?;
        let file = fresh.begin(&line)?;
        state.begun(space, file, line.len() as u64, added);
        if let Some(what) = failed {
            let event = Event::CheckpointFailed { what }.bounded();
            let _ = state
                .add(&event, Want::OfTheAgent)
                .map_err(NoSpace::Other)?;
        }
        Ok(())
    }

    /// The checkpoint at a segment's end, and before it one that is still owed. That it is made later is no reason not to begin the next
    /// segment, but for a full disk: the answer is why, where it was not said yet.
    fn last_checkpoint(
        &self,
        desk: &mut Desk,
        state: &mut State,
        kept: &mut Vec<(Checkpoint, String)>,
    ) -> Result<Option<String>, NoSpace> {
        loop {
            let checkpoint = match desk.owed.clone() {
                Some(owed) => owed,
                None if state.unsigned == 0 => return Ok(None),
                None => {
                    let added = state.add(&Event::Checkpoint, Want::OfTheAgent);
                    let Ok(added) = added.map_err(NoSpace::Other)? else {
                        // The next segment has room for it.
                        return Ok(None);
                    };
                    state.flush().map_err(NoSpace::Other)?;
                    self.checkpoint_of(added)
                }
            };
            match desk.keep(&checkpoint) {
                Ok(note) => {
                    state.kept();
                    kept.push((checkpoint, note));
                }
                Err(LogError::System { source, .. }) if LogError::is_no_space(&source) => {
                    return Err(NoSpace::Full);
                }
                Err(error) => return Ok(state.not_kept(&error).then(|| error.to_string())),
            }
        }
    }

    /// Writes down that the agent stops, and how many refusals had no entry.
    pub(super) fn stop(&self) -> Result<(), LogError> {
        hold(&self.state).tell()?;
        self.append(Event::Stopped).map(drop)
    }

    /// What is known without waiting for whoever makes a checkpoint or exports it.
    pub(super) fn status(&self) -> Status {
        let state = hold(&self.state);
        Status {
            log: self.name.clone(),
            last: state.committed,
            segment: state.number,
            without_checkpoint: state.unsigned,
            full: state.full.is_some(),
            checkpoint_failure: state.checkpoint_failure.clone(),
            failure: state.failure.clone(),
            failing_exports: state.failing_exports.clone(),
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
