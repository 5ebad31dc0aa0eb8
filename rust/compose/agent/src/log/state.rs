//! What a log knows of itself while it is open, and where an entry has its place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entry::{ENTRY_LIMIT, Entry, Sequence};
use super::error::LogError;
use super::event::Event;
use super::space::Space;
use super::text::{Digest, Time};

/// How long after a segment could not begin it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What is wanted of a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Room for an entry that will say what was signed.
    Permit,
    /// Such an entry, whose room was kept.
    Permitted,
    /// An entry of the agent itself.
    OfTheAgent,
    /// Any other.
    Other,
}

/// Where there is room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Here.
    Here,
    /// In the next segment.
    Next,
    /// Here, once others have written what they have room for.
    Later,
    /// Nowhere.
    Nowhere,
}

/// An entry that was added.
#[derive(Clone, Copy)]
pub(super) struct Added {
    pub(super) sequence: Sequence,
    pub(super) digest: Digest,
    pub(super) time: Time,
}

pub(super) struct State {
    space: Space,
    /// The segment that is written.
    pub(super) number: u64,
    pub(super) file: Arc<File>,
    /// Bytes of it that are on the disk.
    pub(super) written: u64,
    /// Bytes of it, with those that are being written and those that wait.
    pub(super) used: u64,
    /// Lines that wait.
    pub(super) pending: Vec<u8>,
    /// The last entry.
    pub(super) last: Sequence,
    pub(super) head: Digest,
    /// The last entry that is on the disk.
    pub(super) committed: Sequence,
    /// Whether somebody writes.
    pub(super) busy: bool,
    /// How many may still write what they signed.
    pub(super) permits: u64,
    /// The disk is full, and from when on it is looked at again.
    pub(super) full: Option<Instant>,
    /// Refusals without an entry; from when on they are told, and how long after that the next time.
    counted: u64,
    tell_at: Instant,
    tell_after: Duration,
    /// Entries without a checkpoint that is kept, and since when.
    pub(super) unsigned: u64,
    pub(super) unsigned_since: Instant,
    /// How many of them the last entry `checkpoint` covers, once it is kept.
    covers: u64,
    /// Why there is no checkpoint of them, if the last one failed.
    pub(super) checkpoint_failure: Option<String>,
    /// The folders of exports that did not take the last checkpoint.
    pub(super) failing_exports: Vec<PathBuf>,
    /// Why nothing more is written.
    pub(super) failure: Option<String>,
    pub(super) closing: bool,
    /// The agent has stopped: what is said of checkpoints may follow, and nothing else.
    stopped: bool,
    pub(super) closed: bool,
}

impl State {
    /// A segment that has so many bytes, the last entry of which is on the disk.
    pub(super) fn new(
        space: Space,
        number: u64,
        file: File,
        bytes: u64,
        last: Sequence,
        head: Digest,
    ) -> Self {
        let now = Instant::now();
        Self {
            space,
            number,
            file: Arc::new(file),
            written: bytes,
            used: bytes,
            pending: Vec::new(),
            last,
            head,
            committed: last,
            busy: false,
            permits: 0,
            full: None,
            counted: 0,
            tell_at: now,
            tell_after: RETRY,
            unsigned: 0,
            unsigned_since: now,
            covers: 0,
            checkpoint_failure: None,
            failing_exports: Vec::new(),
            failure: None,
            closing: false,
            stopped: false,
            closed: false,
        }
    }

    /// Whether entries are taken at all.
    pub(super) fn alive(&self) -> Result<(), LogError> {
        match &self.failure {
            Some(fact) => Err(LogError::Failed(fact.clone())),
            None if self.closed => Err(LogError::Closed),
            None => Ok(()),
        }
    }

    /// Whether entries that say anything but of checkpoints are taken.
    pub(super) fn serves(&self) -> Result<(), LogError> {
        self.alive()?;
        match self.stopped {
            true => Err(LogError::Closed),
            false => Ok(()),
        }
    }

    /// Where `bytes` have their place.
    pub(super) fn place(&self, want: Want, bytes: u64) -> Place {
        let Space { segment, reserve } = self.space;
        let kept = self.permits.saturating_mul(ENTRY_LIMIT as u64);
        let filled = self.used.saturating_add(kept).saturating_add(bytes);
        // A segment that is not even half full has no room because of those who sign.
        let next = match self.full {
            Some(retry) => retry <= Instant::now(),
            None => filled > segment && self.used > segment / 2,
        };
        let reserved = |reserve: u64| match filled <= segment + reserve {
            true => Place::Here,
            false => Place::Nowhere,
        };
        match want {
            // Its room is in what is kept.
            Want::Permitted => Place::Here,
            Want::OfTheAgent => reserved(reserve),
            Want::Permit | Want::Other if next => Place::Next,
            Want::Other => reserved(reserve / 2),
            Want::Permit if self.full.is_some() => Place::Nowhere,
            Want::Permit if filled > segment => Place::Later,
            Want::Permit => Place::Here,
        }
    }

    /// The line of an event that comes next, and what it would be.
    fn line(&self, event: Event) -> Result<(Vec<u8>, Added), LogError> {
        let entry = Entry {
            sequence: self.last.next(),
            time: Time::now(),
            previous: self.head,
            event,
        };
        let line = entry
            .line()
            .map_err(|error| LogError::Failed(error.to_string()))?;
        if line.len() > ENTRY_LIMIT {
            let (bytes, limit) = (line.len(), ENTRY_LIMIT);
            return Err(LogError::TooLong { bytes, limit });
        }
        let added = Added {
            sequence: entry.sequence,
            digest: Digest::of(&line),
            time: entry.time,
        };
        Ok((line, added))
    }

    /// Adds an event's entry where it has a place here; else says where it has one.
    pub(super) fn add(
        &mut self,
        event: &Event,
        want: Want,
    ) -> Result<Result<Added, Place>, LogError> {
        let (line, added) = self.line(event.clone())?;
        match self.place(want, line.len() as u64) {
            Place::Here => {
                self.note(event);
                self.used += line.len() as u64;
                self.pending.extend(line);
                self.last = added.sequence;
                self.head = added.digest;
                Ok(Ok(added))
            }
            other => Ok(Err(other)),
        }
    }

    /// The line that begins the next segment. [`State::begun`] says that it did.
    pub(super) fn first_line(&self, log: &str) -> Result<(Vec<u8>, Added), LogError> {
        self.line(Event::Rotated {
            version: super::entry::VERSION,
            log: log.to_owned(),
            segment: self.number + 1,
        })
    }

    /// The next segment has begun, with a line of so many bytes.
    pub(super) fn begun(&mut self, space: Space, file: File, bytes: u64, added: Added) {
        self.space = space;
        self.number += 1;
        self.file = Arc::new(file);
        self.written = bytes;
        self.used = bytes;
        self.last = added.sequence;
        self.head = added.digest;
        self.committed = added.sequence;
    }

    /// Keeps in mind what checkpoints have to cover.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Checkpoint => self.owe(),
            // What is said of checkpoints alone needs none: else there would be one for each.
            Event::ExportFailed { .. } | Event::CheckpointFailed { .. } => {}
            _ => {
                self.stopped |= *event == Event::Stopped;
                if self.unsigned == 0 {
                    self.unsigned_since = Instant::now();
                }
                self.unsigned += 1;
            }
        }
    }

    /// The last entry is that of a checkpoint, which is not kept yet.
    pub(super) fn owe(&mut self) {
        self.unsigned += 1;
        self.unsigned_since = Instant::now();
        self.covers = self.unsigned;
    }

    /// The checkpoint of the last entry `checkpoint` is kept.
    pub(super) fn kept(&mut self) {
        self.unsigned = self.unsigned.saturating_sub(self.covers);
        self.covers = 0;
        self.checkpoint_failure = None;
    }

    /// A checkpoint failed; the answer is whether that is new.
    pub(super) fn not_kept(&mut self, error: &LogError) -> bool {
        self.checkpoint_failure.replace(error.to_string()).is_none()
    }

    /// Writes what waits, while nobody else does.
    pub(super) fn flush(&mut self) -> Result<(), LogError> {
        let lines = std::mem::take(&mut self.pending);
        let result = write(&self.file, &lines, self.written);
        self.wrote(result, lines.len(), self.last)
    }

    /// What became of lines up to this entry.
    pub(super) fn wrote(
        &mut self,
        result: io::Result<()>,
        bytes: usize,
        last: Sequence,
    ) -> Result<(), LogError> {
        match result {
            Ok(()) => {
                self.written += bytes as u64;
                self.committed = last;
                Ok(())
            }
            Err(error) => {
                // After a failed fdatasync nobody knows what is on the disk, and a second one would not tell.
                self.failure = Some(error.to_string());
                self.alive()
            }
        }
    }

    /// The disk is full: said once, and looked at again in a while.
    pub(super) fn no_room(&mut self) -> Result<(), LogError> {
        if self.full.is_none() {
            let _ = self.add(&Event::Full, Want::OfTheAgent)?;
            self.tell_after = RETRY;
            self.tell_at = Instant::now() + RETRY;
        }
        self.full = Some(Instant::now() + RETRY);
        Ok(())
    }

    /// There is room again.
    pub(super) fn room(&mut self) -> Result<(), LogError> {
        if self.full.take().is_some() {
            self.tell()?;
            let _ = self.add(&Event::Room, Want::OfTheAgent)?;
        }
        Ok(())
    }

    /// Counts a refusal that has no entry. The count is told ever less often, so that no flood uses the reserve up.
    pub(super) fn count(&mut self) -> Result<(), LogError> {
        self.counted += 1;
        if self.tell_at <= Instant::now() {
            self.tell()?;
            self.tell_after = self.tell_after.saturating_mul(2);
            self.tell_at = Instant::now() + self.tell_after;
        }
        Ok(())
    }

    /// Tells how many were counted.
    pub(super) fn tell(&mut self) -> Result<(), LogError> {
        let refusals = self.counted;
        if refusals > 0
            && self
                .add(&Event::Counted { refusals }, Want::OfTheAgent)?
                .is_ok()
        {
            self.counted = 0;
        }
        Ok(())
    }
}

/// Writes lines and waits until the disk has them.
pub(super) fn write(file: &File, lines: &[u8], at: u64) -> io::Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    file.write_all_at(lines, at)?;
    file.sync_data()
}
