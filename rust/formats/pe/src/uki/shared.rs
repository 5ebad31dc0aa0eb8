//! One source behind several readers: the sections of a profile, the passes over a compressed kernel.

use std::cell::RefCell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

/// What a kernel or profile is read from.
pub(super) trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// A source that several [`Window`]s read.
#[derive(Clone)]
pub(super) struct Shared<'a>(Rc<RefCell<dyn Source + 'a>>);

impl<'a> Shared<'a> {
    pub fn new(source: impl Read + Seek + 'a) -> Self {
        Self(Rc::new(RefCell::new(source)))
    }

    /// The length of the source in bytes.
    pub fn len(&self) -> io::Result<u64> {
        self.with(|source| source.seek(SeekFrom::End(0)))
    }

    /// The `len` bytes at `start`, read as if they were a file of their own.
    pub fn window(&self, start: u64, len: u64) -> Window<'a> {
        Window {
            source: self.clone(),
            start,
            len,
            at: 0,
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut dyn Source) -> io::Result<T>) -> io::Result<T> {
        let mut source = self.0.try_borrow_mut().map_err(io::Error::other)?;
        act(&mut *source)
    }
}

/// A part of a [`Shared`] source.
pub(super) struct Window<'a> {
    source: Shared<'a>,
    start: u64,
    len: u64,
    at: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = left.min(out.len());
        let out = out.get_mut(..want).unwrap_or_default();
        let from = self.start.saturating_add(self.at);
        let got = self.source.with(|source| {
            source.seek(SeekFrom::Start(from))?;
            source.read(out)
        })?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = position(to, self.at, self.len)?;
        Ok(self.at)
    }
}

/// Where a seek in `len` bytes ends that begins at `now`.
pub(super) fn position(to: SeekFrom, now: u64, len: u64) -> io::Result<u64> {
    let place = match to {
        SeekFrom::Start(place) => Some(place),
        SeekFrom::Current(by) => now.checked_add_signed(by),
        SeekFrom::End(by) => len.checked_add_signed(by),
    };
    place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}
