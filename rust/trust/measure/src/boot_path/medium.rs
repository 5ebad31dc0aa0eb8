//! What the firmware boots from.

use std::io::{self, Read, Seek};

use super::partition_table::{PartitionTable, TableError};

/// The medium of the boot option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A disk with a GUID partition table.
    Disk {
        /// What the firmware measures of the table (`UEFI_GPT_DATA`, TCG PC Client Platform Firmware Profile): the header's 92 bytes, the number of
        /// used entries (u64, little-endian), the used entries.
        partition_table: Vec<u8>,
    },
    /// A CD or its image (El Torito): no partition table is measured.
    Cd,
}

/// Why a disk's partition table cannot be predicted.
#[derive(Debug, thiserror::Error)]
pub enum MediumError {
    /// There is no table.
    #[error(
        "it has no GUID partition table in its second block, of 512 or 4096 bytes: give a whole disk or an image of one"
    )]
    NoTable,
    /// The table's sizes are none that firmware takes.
    #[error("its GUID partition table is malformed: {0}")]
    Malformed(&'static str),
    /// A checksum is wrong: firmware would write the backup over it before it measures.
    #[error(
        "the checksum of its GUID partition table's {0} is wrong, and firmware would repair it from the backup: repair it first"
    )]
    Checksum(&'static str),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// Sizes of a block, which is not written in the table.
const BLOCKS: [u64; 2] = [512, 4096];
impl From<TableError> for MediumError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::None => Self::NoTable,
            TableError::Malformed(fact) => Self::Malformed(fact),
            TableError::Checksum(of) => Self::Checksum(of),
            TableError::Read(source) => Self::Read(source),
        }
    }
}

impl Medium {
    /// The disk, or the image of a whole disk, that `source` gives.
    ///
    /// # Errors
    /// [`MediumError`], when there is no sound GUID partition table.
    pub fn of_disk<S: Read + Seek>(source: &mut S) -> Result<Medium, MediumError> {
        for block in BLOCKS {
            match PartitionTable::read(source, block) {
                Err(TableError::None) => {}
                table => {
                    let partition_table = measured(&table?);
                    return Ok(Medium::Disk { partition_table });
                }
            }
        }
        Err(MediumError::NoTable)
    }
}

/// `UEFI_GPT_DATA` of a table.
fn measured(table: &PartitionTable) -> Vec<u8> {
    let used: Vec<&[u8]> = table.used().map(|(_, entry)| entry).collect();
    let mut data = table.header().to_vec();
    data.extend((used.len() as u64).to_le_bytes());
    data.extend(used.concat());
    data
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const SIGNATURE: &[u8] = b"EFI PART";
    const HEADER: usize = 92;

    /// A disk with blocks of this size, whose table has room for four entries and uses the second and the fourth.
    fn disk(block: usize) -> Vec<u8> {
        let mut entries = vec![0; 4 * 128];
        entries[128] = 1;
        entries[3 * 128 + 15] = 2;
        let mut header = vec![0; HEADER];
        header[..8].copy_from_slice(SIGNATURE);
        header[12] = 92;
        header[72] = 2;
        header[80] = 4;
        header[84] = 128;
        header[88..].copy_from_slice(&crc32fast::hash(&entries).to_le_bytes());
        let sum = crc32fast::hash(&header).to_le_bytes();
        header[16..20].copy_from_slice(&sum);
        let mut disk = vec![0; 3 * block];
        disk[block..block + HEADER].copy_from_slice(&header);
        disk[2 * block..2 * block + 512].copy_from_slice(&entries);
        disk
    }

    fn of(bytes: &[u8]) -> Result<Medium, MediumError> {
        Medium::of_disk(&mut Cursor::new(bytes))
    }

    #[test]
    fn takes_header_number_and_used_entries() {
        for block in [512, 4096] {
            let disk = disk(block);
            let Medium::Disk { partition_table } = of(&disk).unwrap() else {
                panic!("no disk");
            };
            assert_eq!(partition_table.len(), 92 + 8 + 2 * 128, "{block}");
            assert_eq!(partition_table[..92], disk[block..block + 92]);
            assert_eq!(partition_table[92..100], 2_u64.to_le_bytes());
            assert_eq!(
                (partition_table[100], partition_table[100 + 128 + 15]),
                (1, 2)
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_any_bytes_without_panicking(bytes: Vec<u8>, at in 0..1536_usize) {
            let mut disk = disk(512);
            let place = at..(at + bytes.len()).min(disk.len());
            disk.splice(place, bytes);
            let _ = of(&disk);
        }
    }

    #[test]
    fn refuses_a_table_that_firmware_would_not_take_as_it_is() {
        let mut spoiled = [disk(512), disk(512), disk(512)];
        spoiled[0][512 + 40] ^= 1;
        spoiled[1][1024 + 130] ^= 1;
        spoiled[2].truncate(1024 + 256);
        let [header, entries, short] = spoiled.map(|disk| of(&disk).unwrap_err());
        assert!(
            matches!(header, MediumError::Checksum("header")),
            "{header}"
        );
        assert!(
            matches!(entries, MediumError::Checksum("entries")),
            "{entries}"
        );
        assert!(matches!(short, MediumError::Malformed(_)), "{short}");
        for none in [&b""[..], &[0; 8192], SIGNATURE] {
            assert!(matches!(of(none), Err(MediumError::NoTable)));
        }
    }
}
