//! The GUID partition table of a disk.
//!
//! Source: UEFI specification 2.10, chapter 5.

use std::io::{self, Read, Seek, SeekFrom};

const SIGNATURE: &[u8] = b"EFI PART";
/// Bytes of the header that have a meaning, and that its checksum is of.
const HEADER: usize = 92;
/// Where the header's checksum is.
const CHECKSUM: std::ops::Range<usize> = 16..20;
/// Fewest bytes of an entry; others are this by a power of two.
const ENTRY: u64 = 128;
/// More bytes of entries than any table has: the usual one has 16 KiB.
const ENTRIES_LIMIT: u64 = 1 << 20;

/// A partition table whose checksums are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionTable {
    header: Vec<u8>,
    entries: Vec<u8>,
    /// Bytes of an entry; never 0.
    entry: usize,
}

/// Why a disk has no sound partition table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// There is none.
    #[error("it has no GUID partition table")]
    None,
    /// Its sizes are none that firmware takes.
    #[error("its GUID partition table is malformed: {0}")]
    Malformed(&'static str),
    /// A checksum is wrong: of the header, or of the entries.
    #[error("its GUID partition table is damaged: the checksum of its {0}")]
    Checksum(&'static str),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

impl PartitionTable {
    /// The table of a disk whose blocks have this many bytes.
    ///
    /// # Errors
    /// [`TableError`].
    pub fn read<S: Read + Seek>(disk: &mut S, block: u64) -> Result<Self, TableError> {
        let header = read(disk, block, HEADER)?;
        if !header.starts_with(SIGNATURE) {
            return Err(TableError::None);
        }
        if header.len() != HEADER {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let field = |at, len| number(&header, at, len);
        if field(12, 4) != HEADER as u64 {
            return Err(TableError::Malformed("its header has not 92 bytes"));
        }
        let mut summed = header.clone();
        if let Some(checksum) = summed.get_mut(CHECKSUM) {
            checksum.fill(0);
        }
        if u64::from(crc32fast::hash(&summed)) != field(CHECKSUM.start, CHECKSUM.len()) {
            return Err(TableError::Checksum("header"));
        }
        let (first, count, size) = (field(72, 8), field(80, 4), field(84, 4));
        if size < ENTRY || !size.is_power_of_two() {
            return Err(TableError::Malformed(
                "its entries have not 128 bytes, or a multiple by a power of two",
            ));
        }
        let length = count.saturating_mul(size);
        let (Ok(length), Ok(entry), true) = (
            usize::try_from(length),
            usize::try_from(size),
            length <= ENTRIES_LIMIT,
        ) else {
            return Err(TableError::Malformed("its entries have more than 1 MiB"));
        };
        let entries = read(disk, first.saturating_mul(block), length)?;
        if entries.len() != length {
            return Err(TableError::Malformed(
                "its entries go past the end of the disk",
            ));
        }
        if u64::from(crc32fast::hash(&entries)) != field(88, 4) {
            return Err(TableError::Checksum("entries"));
        }
        Ok(Self {
            header,
            entries,
            entry,
        })
    }

    /// The header's 92 bytes.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// The entries that are used, in their order, by their numbers from 1 on.
    pub fn used(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let entries = (1..).zip(self.entries.chunks(self.entry));
        // What has no type is no partition.
        entries.filter(|(_, entry)| entry.iter().take(16).any(|byte| *byte != 0))
    }
}

/// A little-endian number of the header.
fn number(header: &[u8], at: usize, len: usize) -> u64 {
    let bytes = header.get(at..at.saturating_add(len)).unwrap_or_default();
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Up to `length` bytes from `start` on; fewer at the end.
fn read<S: Read + Seek>(source: &mut S, start: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.seek(SeekFrom::Start(start))?;
    source.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
