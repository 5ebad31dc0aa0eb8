//! The GUID partition table of a disk, as far as it names one partition.
//!
//! Source: UEFI specification 2.10, chapter 5.

use std::io::{self, Read, Seek, SeekFrom};

use uuid::Uuid;

use super::HardDrive;

/// Length of the header's fields that the checksum covers at least.
const HEADER: usize = 92;
/// More entries than any table has, in bytes: 128 of 128 bytes are usual.
const LARGEST: usize = 1 << 20;

/// Why a table does not name the partition.
#[derive(Debug, thiserror::Error)]
pub enum GptError {
    /// The disk cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is no table.
    #[error("it has no GUID partition table")]
    None,
    /// The table is damaged, in words.
    #[error("its GUID partition table is damaged: {0}")]
    Damaged(&'static str),
    /// There is no partition of that number.
    #[error("its GUID partition table has no partition {0}")]
    Missing(u32),
}

impl HardDrive {
    /// The partition with this number (from 1) on a disk whose blocks have this size in bytes. The table's checksums must be right.
    ///
    /// # Errors
    /// [`GptError`].
    pub fn in_table(
        disk: &mut (impl Read + Seek),
        block: u64,
        number: u32,
    ) -> Result<Self, GptError> {
        partition(disk, block, number)
    }
}

fn partition(
    disk: &mut (impl Read + Seek),
    block: u64,
    number: u32,
) -> Result<HardDrive, GptError> {
    let header = Header::read(disk, block)?;
    let array = header.array(disk, block)?;
    let index = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
    let entry = index
        .filter(|index| *index < header.entries)
        .and_then(|index| array.get(index.checked_mul(header.entry)?..))
        .ok_or(GptError::Missing(number))?;
    let (kind, id) = (id_at(entry, 0), id_at(entry, 16));
    let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
    match (kind, id, first, last) {
        (Some(kind), ..) if kind.is_nil() => Err(GptError::Missing(number)),
        (_, Some(id), Some(start), Some(last)) if last >= start => Ok(HardDrive {
            number,
            start,
            size: (last - start).saturating_add(1),
            id,
        }),
        _ => Err(GptError::Damaged("a partition ends before it begins")),
    }
}

struct Header {
    /// First block of the entries.
    at: u64,
    entries: usize,
    /// Bytes of an entry.
    entry: usize,
    checksum: u32,
}

impl Header {
    fn read(disk: &mut (impl Read + Seek), block: u64) -> Result<Self, GptError> {
        let mut bytes = [0; HEADER];
        disk.seek(SeekFrom::Start(block))?;
        disk.read_exact(&mut bytes)?;
        if !bytes.starts_with(b"EFI PART") {
            return Err(GptError::None);
        }
        // The checksum covers as many bytes as the header says, with its own field zero: all headers in use have 92.
        if u32_at(&bytes, 12) != Some(HEADER as u32) {
            return Err(GptError::Damaged("its header has not 92 bytes"));
        }
        let checksum = u32_at(&bytes, 16);
        if let Some(field) = bytes.get_mut(16..20) {
            field.fill(0);
        }
        if checksum != Some(crc32fast::hash(&bytes)) {
            return Err(GptError::Damaged("the checksum of its header"));
        }
        let number = |at| u32_at(&bytes, at).and_then(|number| usize::try_from(number).ok());
        match (
            u64_at(&bytes, 72),
            number(80),
            number(84),
            u32_at(&bytes, 88),
        ) {
            (Some(at), Some(entries), Some(entry), Some(checksum)) if entry >= 128 => Ok(Self {
                at,
                entries,
                entry,
                checksum,
            }),
            _ => Err(GptError::Damaged("the size of its entries")),
        }
    }

    fn array(&self, disk: &mut (impl Read + Seek), block: u64) -> Result<Vec<u8>, GptError> {
        let place = self.at.checked_mul(block);
        let size = self.entries.checked_mul(self.entry);
        let (Some(place), Some(size)) = (place, size.filter(|size| *size <= LARGEST)) else {
            return Err(GptError::Damaged("the place or number of its entries"));
        };
        let mut array = vec![0; size];
        disk.seek(SeekFrom::Start(place))?;
        disk.read_exact(&mut array)?;
        match crc32fast::hash(&array) == self.checksum {
            true => Ok(array),
            false => Err(GptError::Damaged("the checksum of its entries")),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*field))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

fn id_at(bytes: &[u8], at: usize) -> Option<Uuid> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(Uuid::from_bytes_le(*field))
}
