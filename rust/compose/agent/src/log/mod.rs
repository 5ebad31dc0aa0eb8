//! The log: what was signed and what was refused.
//!
//! A folder of numbered segments of JSON lines. Each entry names the SHA-256 of the line before it; checkpoints sign what the last line was.
//! `docs/agent-log.md` has the format, every event, and what a checkpoint proves.
//!
//! - Writing: [`Log`], [`Permit`], [`Event`]. An entry is on the disk before [`Log::append`] returns; threads that append at the same time share
//!   one `fdatasync`.
//! - Space is taken before it is needed. When the disk is full, nothing is signed ([`Log::may_sign`]), and refusals still find a place.
//! - Checkpoints: [`Checkpoint`], signed notes ([`note`]) by a [`CheckpointSigner`].
//! - Reading: [`Entry`], [`Entries`], [`verify()`].

mod checkpoint;
mod desk;
mod entry;
mod error;
mod event;
mod finding;
mod keeper;
mod lines;
pub mod note;
mod open;
mod read;
mod scan;
mod segment;
mod settings;
mod space;
mod state;
mod text;
mod verify;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

pub use checkpoint::Checkpoint;
pub use desk::NEWEST;
pub use entry::{ENTRY_LIMIT, Entry, Link, Sequence, VERSION};
pub use error::LogError;
pub use event::{Event, Key, Operation, Signed, Subject, TEXT_LIMIT};
pub use finding::{Fault, Finding};
pub use note::{CheckpointKey, CheckpointSigner, PublicKey, SignFault};
pub use read::{Entries, Line};
pub use scan::{Damage, Scan, scan};
pub use settings::Settings;
pub use text::{Digest, TextError, Time};
pub use verify::{Covered, Report, Trusted, verify};
pub use writer::{Permit, Status};

use writer::{Shared, hold};

/// A log that is open for writing, by this process alone. It is shared between threads.
///
/// Dropped, it stops where it is, as if the process had been killed; [`Log::close`] ends it in order.
pub struct Log {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Opens the log in this folder, or begins one; the folder is made where it is missing. What a killed agent did not finish is cut off,
    /// and an entry says so. From here on checkpoints are made when they are due.
    ///
    /// # Errors
    /// [`LogError`]: also when the last segment was tampered with, or is not what a checkpoint says.
    pub fn open(
        folder: &Path,
        settings: Settings,
        signer: Box<dyn CheckpointSigner>,
    ) -> Result<Self, LogError> {
        let shared = Arc::new(open::open(folder, settings, signer)?);
        let kept = Arc::clone(&shared);
        let keeper = thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || keeper::keep(&kept))
            .map_err(LogError::system("no thread can be started", folder))?;
        Ok(Self {
            shared,
            keeper: Mutex::new(Some(keeper)),
        })
    }

    /// Writes an event down. It is on the disk when this returns.
    ///
    /// # Errors
    /// [`LogError::Counted`] when the disk is full and the reserve nearly used up; [`LogError::Full`] for what was signed, when it is full.
    pub fn append(&self, event: Event) -> Result<Sequence, LogError> {
        match event {
            Event::Signed(signed) => self.may_sign()?.record(signed),
            event => self.shared.append(event).map(|added| added.sequence),
        }
    }

    /// Asked before anything is signed: whether there is room to write it down, which is kept until then.
    ///
    /// Waits while as many are signing as a segment has room for.
    ///
    /// # Errors
    /// [`LogError::Full`], [`LogError::Failed`], [`LogError::Closed`].
    pub fn may_sign(&self) -> Result<Permit<'_>, LogError> {
        self.shared.permit()?;
        Ok(Permit::new(&self.shared))
    }

    /// Signs and exports a checkpoint of all that was written, and returns the note. Where the last one covers all, it is that.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn checkpoint(&self) -> Result<String, LogError> {
        self.shared.checkpoint()
    }

    /// What the log says of itself.
    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// Writes [`Event::Stopped`], makes the last checkpoint and ends: nothing is taken after that.
    ///
    /// # Errors
    /// [`LogError`]; the log is closed all the same.
    pub fn close(&self) -> Result<(), LogError> {
        self.dismiss();
        let stopped = self.shared.stop();
        let made = stopped.and_then(|()| self.shared.checkpoint());
        hold(&self.shared.state).closed = true;
        drop(hold(&self.shared.lock).take());
        made.map(drop)
    }

    /// Ends the thread that makes checkpoints.
    fn dismiss(&self) {
        hold(&self.shared.state).closing = true;
        self.shared.wake.notify_all();
        if let Some(keeper) = hold(&self.keeper).take() {
            // It has no way to panic; if it did, there is nothing to be done about it here.
            let _ = keeper.join();
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.dismiss();
    }
}
