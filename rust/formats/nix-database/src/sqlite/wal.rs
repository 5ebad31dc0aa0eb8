//! The write-ahead log: changed pages that are not in the database yet, up to the last transaction that was committed.
//!
//! Source: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::{Fault, u32_at};
use crate::Damage;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// Without the last bit, which says in which order the checksums read.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

/// What a log holds at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wal {
    /// The checksums at the last commit.
    frames: Frames,
    /// Frames up to the last commit.
    committed: u64,
    /// Pages of the database after the last commit.
    pub(super) pages: u32,
    /// Of each changed page, where its newest content lies in the log.
    places: BTreeMap<u32, u64>,
}

impl Wal {
    /// Reads a log up to its last commit. A log that holds none is no log.
    pub(super) fn read(file: &File, page_size: u32) -> Result<Option<Self>, Fault> {
        let mut header = [0; HEADER];
        if !fill(&mut &*file, &mut header)? {
            return Ok(None);
        }
        let Some(frames) = Frames::new(&header, page_size)? else {
            return Ok(None);
        };
        let mut wal = Self {
            frames,
            committed: 0,
            pages: 0,
            places: BTreeMap::new(),
        };
        wal.go_on(file, page_size)?;
        Ok((wal.committed > 0).then_some(wal))
    }

    /// The same log as it is now, with what was committed since; nothing when it has begun anew.
    pub(super) fn continued(&self, file: &File, page_size: u32) -> Result<Option<Self>, Fault> {
        let mut header = [0; HEADER];
        let mut input = file;
        input.seek(SeekFrom::Start(0))?;
        let there = fill(&mut input, &mut header)?;
        let now = Frames::new(&header, page_size)?;
        if !there || now.is_none_or(|now| now.salts != self.frames.salts) {
            return Ok(None);
        }
        let mut wal = self.clone();
        wal.go_on(file, page_size)?;
        Ok(Some(wal))
    }

    /// Reads frames behind the last commit that is known.
    fn go_on(&mut self, file: &File, page_size: u32) -> Result<(), Fault> {
        let mut frame = vec![0; FRAME_HEADER + page_size as usize];
        let length = frame.len() as u64;
        let start = HEADER as u64 + self.committed * length;
        let mut input = io::BufReader::with_capacity(1 << 18, file);
        input.seek(SeekFrom::Start(start))?;
        let (mut frames, mut waiting) = (self.frames.clone(), BTreeMap::new());
        for index in self.committed.. {
            if !fill(&mut input, &mut frame)? {
                break;
            }
            let Some((page, pages)) = frames.next(&frame) else {
                break;
            };
            let place = HEADER as u64 + index * length + FRAME_HEADER as u64;
            waiting.insert(page, place);
            if pages > 0 {
                self.places.append(&mut waiting);
                (self.committed, self.pages) = (index + 1, pages);
                self.frames = frames.clone();
            }
        }
        Ok(())
    }

    /// The last page that is in the log.
    pub(super) fn last(&self) -> u32 {
        self.places.keys().next_back().copied().unwrap_or_default()
    }

    /// Whether a page is in the log.
    pub(super) fn has(&self, page: u32) -> bool {
        self.places.contains_key(&page)
    }

    /// Where a page's newest content lies in the log.
    pub(super) fn place(&self, page: u32) -> Option<u64> {
        self.places.get(&page).copied()
    }
}

/// Checks one frame after the other: each one's checksum goes on from the last one's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frames {
    /// Two numbers that are others each time that the log begins anew.
    salts: [u8; 8],
    little: bool,
    sums: [u32; 2],
}

impl Frames {
    /// Begins with the header. What SQLite takes for no log is none here.
    fn new(header: &[u8; HEADER], page_size: u32) -> Result<Option<Self>, Damage> {
        let word = |at| u32_at(header, at).unwrap_or_default();
        if word(0) & !1 != MAGIC {
            return Ok(None);
        }
        let mut frames = Self {
            salts: header
                .last_chunk::<16>()
                .and_then(|last| last.first_chunk())
                .copied()
                .unwrap_or_default(),
            little: word(0) & 1 == 0,
            sums: [0; 2],
        };
        frames.add(header.get(..24).unwrap_or_default());
        if frames.sums != [word(24), word(28)] {
            return Ok(None);
        }
        if word(4) != VERSION {
            return Err(Damage::Log("a version that is not known"));
        }
        match word(8) == page_size {
            true => Ok(Some(frames)),
            false => Err(Damage::Log("pages of another size")),
        }
    }

    /// A frame's page, and how many pages the database has when it ends a transaction, else 0. Nothing when it belongs to no
    /// transaction that was written to its end.
    fn next(&mut self, frame: &[u8]) -> Option<(u32, u32)> {
        let (page, pages) = (u32_at(frame, 0)?, u32_at(frame, 4)?);
        if frame.get(8..16)? != self.salts || page == 0 {
            return None;
        }
        self.add(frame.get(..8)?);
        self.add(frame.get(FRAME_HEADER..)?);
        let said = [u32_at(frame, 16)?, u32_at(frame, 20)?];
        (said == self.sums).then_some((page, pages))
    }

    fn add(&mut self, bytes: &[u8]) {
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        let read = |word: &[u8; 4]| match self.little {
            true => u32::from_le_bytes(*word),
            false => u32::from_be_bytes(*word),
        };
        let [mut one, mut other] = self.sums;
        for [first, second] in pairs {
            one = one.wrapping_add(read(first)).wrapping_add(other);
            other = other.wrapping_add(read(second)).wrapping_add(one);
        }
        self.sums = [one, other];
    }
}

/// Fills the whole buffer, or says that the file ends before.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    }
}
