//! A GUID partition table with an EFI system partition, and a system's root behind it where there is one (UEFI specification 2.10, chapter 5).

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use uuid::{Uuid, uuid};

/// Bytes of a sector.
pub(super) const SECTOR: u64 = 512;
/// First sector of the ESP: the first mebibyte is the table's.
pub(super) const FIRST: u64 = 2048;

/// `EFI_PART_TYPE_EFI_SYSTEM_PART_GUID`.
const ESP: Uuid = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
/// `SD_GPT_ROOT_X86_64` of the Discoverable Partitions Specification.
const ROOT: Uuid = uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
/// The same disk each time: the table is measured in PCR 5.
const DISK: Uuid = uuid!("70756f74-7368-4f6e-8e65-000000000001");
/// The ESP's own.
pub(super) const PARTITION: Uuid = uuid!("70756f74-7368-4f6e-8e65-000000000002");
/// The root's own.
const ROOT_PARTITION: Uuid = uuid!("70756f74-7368-4f6e-8e65-000000000003");

const ENTRIES: usize = 128;
const ENTRY: usize = 128;
/// Sectors of the array of entries.
const ARRAY: u64 = (ENTRIES * ENTRY) as u64 / SECTOR;

/// Writes both tables and the protective MBR into a new file whose length is `sectors`. The ESP is from [`FIRST`] up to the second
/// table, or up to the root, whose first sector is `root`.
pub(super) fn write(disk: &File, sectors: u64, root: Option<u64>) -> io::Result<()> {
    let too_small = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the disk is too small for a partition table",
        )
    };
    let last = sectors.checked_sub(1).ok_or_else(too_small)?;
    let end = last
        .checked_sub(ARRAY + 1)
        .filter(|end| *end > root.unwrap_or(FIRST).max(FIRST))
        .ok_or_else(too_small)?;
    let array = entries(root, end);
    let checksum = crc32fast::hash(&array);
    disk.write_all_at(&protective_mbr(last), 0)?;
    disk.write_all_at(&header(1, last, 2, end, checksum), SECTOR)?;
    disk.write_all_at(&array, 2 * SECTOR)?;
    disk.write_all_at(&array, (last - ARRAY) * SECTOR)?;
    disk.write_all_at(&header(last, 1, last - ARRAY, end, checksum), last * SECTOR)
}

/// Last sector of the partition on a disk of this many sectors.
pub(super) fn partition_end(sectors: u64) -> u64 {
    sectors.saturating_sub(ARRAY + 2)
}

/// Where the ESP of a disk lies, in bytes.
pub(super) fn esp(disk: &File) -> io::Result<Range<u64>> {
    // First and last sector, behind both GUIDs of the array's first entry.
    let mut sectors = [0; 16];
    disk.read_exact_at(&mut sectors, 2 * SECTOR + 32)?;
    let (first, last) = sectors.split_at(8);
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    };
    Ok(number(first) * SECTOR..(number(last) + 1) * SECTOR)
}

/// All entries: the ESP, and the root where there is one.
fn entries(root: Option<u64>, end: u64) -> Vec<u8> {
    let esp_end = root.map_or(end, |first| first.saturating_sub(1));
    let esp = (ESP, PARTITION, FIRST, esp_end, "ESP");
    let root = root.map(|first| (ROOT, ROOT_PARTITION, first, end, "root"));
    let mut array = Vec::with_capacity(ENTRIES * ENTRY);
    for (number, (kind, own, first, last, name)) in [esp].into_iter().chain(root).enumerate() {
        array.extend(kind.to_bytes_le());
        array.extend(own.to_bytes_le());
        array.extend(first.to_le_bytes());
        array.extend(last.to_le_bytes());
        array.extend(0_u64.to_le_bytes());
        array.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        array.resize((number + 1) * ENTRY, 0);
    }
    array.resize(ENTRIES * ENTRY, 0);
    array
}

/// A header that stands at sector `here`, with its twin at `twin` and its array at `array`.
fn header(here: u64, twin: u64, array: u64, end: u64, array_checksum: u32) -> Vec<u8> {
    let fields = |checksum: u32| {
        let mut bytes = b"EFI PART".to_vec();
        // Revision 1.0, the header's size.
        bytes.extend([0, 0, 1, 0, 92, 0, 0, 0]);
        bytes.extend(checksum.to_le_bytes());
        bytes.extend([0; 4]);
        for sector in [here, twin, FIRST_USABLE, end] {
            bytes.extend(sector.to_le_bytes());
        }
        bytes.extend(DISK.to_bytes_le());
        bytes.extend(array.to_le_bytes());
        bytes.extend((ENTRIES as u32).to_le_bytes());
        bytes.extend((ENTRY as u32).to_le_bytes());
        bytes.extend(array_checksum.to_le_bytes());
        bytes
    };
    // The checksum covers the header with its own field zero.
    fields(crc32fast::hash(&fields(0)))
}

/// First sector behind the first table.
const FIRST_USABLE: u64 = 2 + ARRAY;

/// One MBR entry over the whole disk, by which old tools keep off.
fn protective_mbr(last: u64) -> Vec<u8> {
    let mut sector = vec![0; 446];
    sector.extend([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff]);
    sector.extend(1_u32.to_le_bytes());
    sector.extend(u32::try_from(last).unwrap_or(u32::MAX).to_le_bytes());
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_disk_without_room() {
        let file = tempfile::tempfile().unwrap();
        for sectors in [0, 1, 34, FIRST] {
            assert!(write(&file, sectors, None).is_err(), "{sectors}");
        }
        assert!(write(&file, FIRST + 100, None).is_ok());
        assert_eq!(esp(&file).unwrap(), 1 << 20..(FIRST + 67) * SECTOR);
        assert!(write(&file, FIRST + 100, Some(FIRST + 90)).is_err());
    }
}
