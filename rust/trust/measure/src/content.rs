//! A file's content as if it were a file.

use std::io::{self, Read, Seek, SeekFrom};

use touchstone_pe::Section;

use crate::bank::Bank;
use crate::boot_path::Content;
use crate::hash::Digests;

/// Reads a content from any place: going back means to open it again.
pub(crate) struct Rewind<'a> {
    content: &'a dyn Content,
    length: u64,
    /// Where the next byte is wanted.
    wanted: u64,
    /// What is open, and where it stands.
    open: Option<(Box<dyn Read + 'a>, u64)>,
}

impl<'a> Rewind<'a> {
    pub(crate) fn new(content: &'a dyn Content) -> io::Result<Rewind<'a>> {
        Ok(Rewind {
            length: content.length()?,
            content,
            wanted: 0,
            open: None,
        })
    }
}

impl Read for Rewind<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (mut source, at) = match self.open.take() {
            Some((source, at)) if at <= self.wanted => (source, at),
            _ => (self.content.open()?, 0),
        };
        let skip = self.wanted.saturating_sub(at);
        io::copy(&mut (&mut source).take(skip), &mut io::sink())?;
        let count = source.read(buffer)?;
        self.wanted = self.wanted.saturating_add(count as u64);
        self.open = Some((source, self.wanted));
        Ok(count)
    }
}

impl Seek for Rewind<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let wanted = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.wanted.checked_add_signed(offset),
        };
        self.wanted = wanted.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.wanted)
    }
}

/// A section's `VirtualSize` bytes out of a PE image's content; what the file does not store is zeros.
pub(crate) fn section<'a>(
    content: &'a dyn Content,
    section: &Section,
) -> io::Result<impl Read + use<'a>> {
    let mut source = content.open()?;
    let skip = u64::from(section.raw_offset);
    io::copy(&mut (&mut source).take(skip), &mut io::sink())?;
    let stored = u64::from(section.virtual_size.min(section.raw_size));
    let missing = u64::from(section.virtual_size).saturating_sub(stored);
    Ok(source.take(stored).chain(io::repeat(0).take(missing)))
}

/// A section's digests.
pub(crate) fn digests(content: &dyn Content, of: &Section, banks: &[Bank]) -> io::Result<Digests> {
    Digests::of_reader(banks, &mut section(content, of)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_back_by_opening_again() {
        let bytes = b"0123456789".to_vec();
        let mut file = Rewind::new(&bytes).unwrap();
        let mut two = [0; 2];
        for (to, expected) in [
            (SeekFrom::Start(3), b"34"),
            (SeekFrom::Current(1), b"67"),
            (SeekFrom::End(-9), b"12"),
        ] {
            file.seek(to).unwrap();
            file.read_exact(&mut two).unwrap();
            assert_eq!(&two, expected);
        }
        assert!(file.seek(SeekFrom::Current(-7)).is_err());
    }
}
