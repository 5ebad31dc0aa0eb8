//! One partition of a disk, as its table names it.
//!
//! Source: UEFI specification 2.10, section 5.3.3.

use std::io::{self, Read, Seek};

use touchstone_measure::{PartitionTable, TableError};
use uuid::Uuid;

use super::HardDrive;

/// Why a table does not name the partition.
#[derive(Debug, thiserror::Error)]
pub enum GptError {
    /// The disk cannot be opened.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is no sound table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The entry of the partition is damaged, in words.
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
        let table = PartitionTable::read(disk, block)?;
        let mut used = table.used();
        let entry = used.find(|(found, _)| *found == number);
        let (_, entry) = entry.ok_or(GptError::Missing(number))?;
        match (id_at(entry, 16), u64_at(entry, 32), u64_at(entry, 40)) {
            (Some(id), Some(start), Some(last)) if last >= start => Ok(HardDrive {
                number,
                start,
                size: (last - start).saturating_add(1),
                id,
            }),
            _ => Err(GptError::Damaged("a partition ends before it begins")),
        }
    }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*field))
}

fn id_at(bytes: &[u8], at: usize) -> Option<Uuid> {
    let field = bytes.get(at..)?.first_chunk()?;
    Some(Uuid::from_bytes_le(*field))
}
