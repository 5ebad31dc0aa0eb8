//! A section read as if it were a file.

use std::io::{self, Read, Seek, SeekFrom};

use touchstone_pe::Section;

/// The `len` bytes at `start` of a source.
pub(super) struct Window<'a, S> {
    source: &'a mut S,
    start: u64,
    len: u64,
    at: u64,
}

impl<'a, S> Window<'a, S> {
    /// The bytes that a section has in the file, without its padding.
    pub(super) fn of(source: &'a mut S, section: &Section) -> Self {
        Self {
            source,
            start: u64::from(section.raw_offset),
            len: u64::from(section.virtual_size.min(section.raw_size)),
            at: 0,
        }
    }
}

impl<S: Read + Seek> Read for Window<'_, S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let out = out.get_mut(..left.min(out.len())).unwrap_or_default();
        self.source
            .seek(SeekFrom::Start(self.start.saturating_add(self.at)))?;
        let got = self.source.read(out)?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

impl<S: Read + Seek> Seek for Window<'_, S> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
