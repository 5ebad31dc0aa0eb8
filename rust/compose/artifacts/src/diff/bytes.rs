//! The first byte in which two parts of files differ.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::inspect_uki::InspectedSection;

/// A part of a file: bytes that are stored, then zeros.
#[derive(Clone, Copy)]
pub(super) struct Part {
    offset: u64,
    stored: u64,
    zeros: u64,
}

impl Part {
    /// `len` bytes at `offset`.
    pub(super) fn stored(offset: u64, len: u64) -> Part {
        Part {
            offset,
            stored: len,
            zeros: 0,
        }
    }

    /// A section as it lies in memory.
    pub(super) fn of(section: &InspectedSection) -> Part {
        let stored = section.size.min(section.raw_size);
        Part {
            offset: u64::from(section.offset),
            stored: u64::from(stored),
            zeros: u64::from(section.size - stored),
        }
    }

    fn open(self, file: &mut File) -> io::Result<impl Read> {
        file.seek(SeekFrom::Start(self.offset))?;
        let content = file.take(self.stored).chain(io::repeat(0).take(self.zeros));
        Ok(BufReader::with_capacity(1 << 16, content))
    }
}

/// The first byte, from the parts' beginning, in which they differ; the length of the shorter where it is the
/// beginning of the other.
pub(super) fn first_difference(
    of_a: &mut File,
    a: Part,
    of_b: &mut File,
    b: Part,
) -> io::Result<Option<u64>> {
    let (mut a, mut b) = (a.open(of_a)?, b.open(of_b)?);
    let (mut block_a, mut block_b) = (Vec::new(), Vec::new());
    let mut before = 0u64;
    loop {
        fill(&mut a, &mut block_a)?;
        fill(&mut b, &mut block_b)?;
        if let Some(at) = block_a.iter().zip(&block_b).position(|(a, b)| a != b) {
            return Ok(Some(before + at as u64));
        }
        if block_a.len() != block_b.len() {
            return Ok(Some(before + block_a.len().min(block_b.len()) as u64));
        }
        if block_a.is_empty() {
            return Ok(None);
        }
        before += block_a.len() as u64;
    }
}

/// The next bytes; a full block, but at the end.
fn fill(source: &mut impl Read, block: &mut Vec<u8>) -> io::Result<()> {
    block.clear();
    source.take(1 << 16).read_to_end(block).map(drop)
}
