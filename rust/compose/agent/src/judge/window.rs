//! A section read as if it were a file.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use touchstone_pe::Section;

use crate::payload::Payload;

/// The `len` bytes at `start` of a payload.
pub(super) struct Window<'a> {
    source: &'a dyn Payload,
    start: u64,
    len: u64,
    at: u64,
}

impl<'a> Window<'a> {
    /// The bytes that a section has in the file, without its padding.
    pub(super) fn of(source: &'a dyn Payload, section: &Section) -> Self {
        Self {
            source,
            start: u64::from(section.raw_offset),
            len: u64::from(section.virtual_size.min(section.raw_size)),
            at: 0,
        }
    }
}

impl Read for Window<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let out = out.get_mut(..left.min(out.len())).unwrap_or_default();
        let got = self
            .source
            .read_at(out, self.start.saturating_add(self.at))?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
