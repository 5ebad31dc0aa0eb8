//! What is to be signed, as the judge reads it: a file, or one that is still coming in, perhaps around files of the store.

mod arriving;
mod composed;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use touchstone_store::StoreFile;

pub(crate) use arriving::Arriving;
pub use composed::{Composed, OpenPart};

/// An image or a manifest, which several threads may read at once.
pub trait Payload: Sync {
    /// Its size in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    fn size(&self) -> io::Result<u64>;

    /// Reads some bytes at an offset; none at the end. Waits for those that are to come.
    ///
    /// # Errors
    /// When they cannot be read, or will not come.
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize>;

    /// The size of a file of the store, if the bytes from an offset on are read from it, all of it and no more than `most`: it is remembered as one that is
    /// where it has to be.
    fn pass(&self, file: &StoreFile, at: u64, most: u64) -> Option<u64> {
        let _ = (file, at, most);
        None
    }

    /// Forgets what was passed: by whoever would not have it signed in the end.
    fn forget_passed(&self) {}

    /// Lets whoever reads it fail: nobody wants to know any more.
    fn give_up(&self) {}
}

impl Payload for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, room, at)
    }
}

/// A payload, or a part of it, as parsers read one: from a place on.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    payload: &'a dyn Payload,
    start: u64,
    /// Of a part.
    len: Option<u64>,
    at: u64,
}

impl<'a> Reader<'a> {
    /// At the beginning.
    pub(crate) fn new(payload: &'a dyn Payload) -> Self {
        Self {
            payload,
            start: 0,
            len: None,
            at: 0,
        }
    }

    /// The `len` bytes at `start`, as if there were no others.
    pub(crate) fn part(payload: &'a dyn Payload, start: u64, len: u64) -> Self {
        Self {
            payload,
            start,
            len: Some(len),
            at: 0,
        }
    }

    /// Goes on behind a file of the store, if all of it is what comes next; the answer is its size.
    pub(crate) fn pass(&mut self, file: &StoreFile) -> Option<u64> {
        let at = self.start.saturating_add(self.at);
        let size = self.payload.pass(file, at, self.left())?;
        self.at = self.at.saturating_add(size);
        Some(size)
    }

    /// How many bytes a part has from here on.
    fn left(&self) -> u64 {
        self.len.unwrap_or(u64::MAX).saturating_sub(self.at)
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left())
            .unwrap_or(usize::MAX)
            .min(room.len());
        let room = room.get_mut(..most).unwrap_or_default();
        let got = self
            .payload
            .read_at(room, self.start.saturating_add(self.at))?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match (to, self.len) {
            (SeekFrom::Start(place), _) => Some(place),
            (SeekFrom::Current(by), _) => self.at.checked_add_signed(by),
            (SeekFrom::End(by), Some(len)) => len.checked_add_signed(by),
            (SeekFrom::End(by), None) => self.payload.size()?.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
