//! A CD that EFI firmware boots from: ISO 9660 with an El Torito boot catalog, and no file of its own.
//!
//! Sources: ECMA-119, chapters 6 to 9; the "El Torito" Bootable CD-ROM Format Specification 1.0, chapters 2 and 3; UEFI
//! specification 2.10, section 13.3.2.1 (the platform identifier of EFI; a boot image of fewer than two sectors goes up to the end).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::gpt;

/// Bytes of a sector of a CD.
const SECTOR: u64 = 2048;
/// The first of the volume descriptors.
const DESCRIPTORS: u64 = 16;
const LITTLE_PATHS: u32 = 19;
const BIG_PATHS: u32 = 20;
const ROOT: u32 = 21;
const CATALOG: u32 = 22;
/// The boot image is where a disk has its partition.
const IMAGE: u64 = gpt::FIRST * gpt::SECTOR / SECTOR;
/// EFI, as a platform of the boot catalog.
const EFI: u8 = 0xef;

/// Writes what stands before the boot image into a new file of this many sectors of 512 bytes.
pub(super) fn write(disk: &File, sectors: u64) -> io::Result<()> {
    let volume = sectors * gpt::SECTOR / SECTOR;
    let volume = u32::try_from(volume).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let descriptors = [primary(volume), boot_record(), terminator()];
    for (descriptor, at) in descriptors.iter().zip(DESCRIPTORS..) {
        disk.write_all_at(descriptor, at * SECTOR)?;
    }
    for (sector, content) in [
        (LITTLE_PATHS, path_table(ROOT.to_le_bytes(), [1, 0])),
        (BIG_PATHS, path_table(ROOT.to_be_bytes(), [0, 1])),
        (ROOT, [root_record(0), root_record(1)].concat()),
        (CATALOG, catalog()),
    ] {
        disk.write_all_at(&content, u64::from(sector) * SECTOR)?;
    }
    Ok(())
}

/// ECMA-119, 8.4: the primary volume descriptor; dates and texts are empty.
fn primary(volume: u32) -> Vec<u8> {
    let mut bytes = descriptor(1);
    bytes.push(0);
    bytes.extend([b' '; 32]);
    bytes.extend(b"TOUCHSTONE                      ");
    bytes.extend([0; 8]);
    bytes.extend(both32(volume));
    bytes.extend([0; 32]);
    // Volumes in the set, the number of this one, bytes of a block, bytes of a path table.
    for value in [1, 1, SECTOR as u16] {
        bytes.extend(both16(value));
    }
    bytes.extend(both32(10));
    bytes.extend(LITTLE_PATHS.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(BIG_PATHS.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(root_record(0));
    // Seven names of people and files.
    bytes.extend([b' '; 4 * 128 + 3 * 37]);
    for _ in 0..4 {
        bytes.extend([b'0'; 16]);
        bytes.push(0);
    }
    bytes.push(1);
    bytes.resize(SECTOR as usize, 0);
    bytes
}

/// El Torito, figure 7: where the boot catalog is.
fn boot_record() -> Vec<u8> {
    let mut bytes = descriptor(0);
    bytes.extend(b"EL TORITO SPECIFICATION");
    bytes.resize(71, 0);
    bytes.extend(CATALOG.to_le_bytes());
    bytes.resize(SECTOR as usize, 0);
    bytes
}

fn terminator() -> Vec<u8> {
    let mut bytes = descriptor(255);
    bytes.resize(SECTOR as usize, 0);
    bytes
}

fn descriptor(kind: u8) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(b"CD001\x01");
    bytes
}

/// ECMA-119, 9.4: the root folder alone, which is its own parent (`parent` in the order of bytes of the table).
fn path_table(extent: [u8; 4], parent: [u8; 2]) -> Vec<u8> {
    let mut bytes = vec![1, 0];
    bytes.extend(extent);
    bytes.extend(parent);
    bytes.extend([0, 0]);
    bytes
}

/// ECMA-119, 9.1: the root folder, as itself (name 0) or as its parent (name 1).
fn root_record(name: u8) -> Vec<u8> {
    let mut bytes = vec![34, 0];
    bytes.extend(both32(ROOT));
    bytes.extend(both32(SECTOR as u32));
    // No date; a folder; not interleaved; on the first volume.
    bytes.extend([0; 7]);
    bytes.extend([2, 0, 0]);
    bytes.extend(both16(1));
    bytes.extend([1, name]);
    bytes
}

/// El Torito, figures 2 and 3: the validation entry, whose 16-bit words add up to zero, and the boot image without emulation. With a
/// length of no sector it goes up to the volume's end.
fn catalog() -> Vec<u8> {
    let mut validation = vec![1, EFI];
    validation.resize(30, 0);
    validation.extend([0x55, 0xaa]);
    let sum = validation.chunks_exact(2).fold(0_u16, |sum, pair| {
        let word = pair
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u16::from(*byte));
        sum.wrapping_add(word)
    });
    let checksum = sum.wrapping_neg().to_le_bytes();
    let mut bytes: Vec<u8> = validation;
    bytes.splice(28..30, checksum);
    bytes.extend([0x88, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend((IMAGE as u32).to_le_bytes());
    bytes.resize(SECTOR as usize, 0);
    bytes
}

/// A number in both orders of bytes.
fn both32(value: u32) -> Vec<u8> {
    [value.to_le_bytes(), value.to_be_bytes()].concat()
}

fn both16(value: u16) -> Vec<u8> {
    [value.to_le_bytes(), value.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_fills_a_sector() {
        for descriptor in [primary(1000), boot_record(), terminator(), catalog()] {
            assert_eq!(descriptor.len() as u64, SECTOR);
        }
    }

    #[test]
    fn the_validation_entry_adds_up_to_zero() {
        let words = catalog()[..32]
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .fold(0_u16, u16::wrapping_add);
        assert_eq!(words, 0);
    }

    #[test]
    fn fields_stand_where_the_specification_has_them() {
        let volume = primary(0x0102_0304);
        // 8.4.8, 8.4.12, 8.4.14, 8.4.18, 8.4.31.
        assert_eq!(volume[80..88], [4, 3, 2, 1, 1, 2, 3, 4]);
        assert_eq!(volume[128..132], [0, 8, 8, 0]);
        assert_eq!(volume[140..144], LITTLE_PATHS.to_le_bytes());
        assert_eq!(volume[156], 34);
        assert_eq!(volume[881], 1);
    }
}
