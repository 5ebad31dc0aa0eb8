use std::io::Cursor;

use sha2::{Digest, Sha256, Sha384};
use touchstone_pe::{ReadError, authenticode};

use crate::builder::{self, Builder, CHECKSUM};

/// The digest by the specification's words, on bytes in memory: `end` is where the certificates
/// begin.
pub fn expected(file: &[u8], certificate_entry: usize, end: usize) -> [u8; 32] {
    let mut hashed = file[..CHECKSUM].to_vec();
    hashed.extend(&file[CHECKSUM + 4..certificate_entry]);
    hashed.extend(&file[certificate_entry + 8..end]);
    hashed.resize(hashed.len() + end.next_multiple_of(8) - end, 0);
    Sha256::digest(hashed).into()
}

fn sha256(file: &[u8]) -> Result<[u8; 32], ReadError> {
    authenticode::sha256(&builder::read(file), &mut Cursor::new(file))
}

#[test]
fn leaves_out_checksum_and_certificate_entry() {
    for pe32 in [false, true] {
        let mut builder = Builder::stub();
        builder.pe32 = pe32;
        let file = builder.build();
        assert_eq!(
            sha256(&file).unwrap(),
            expected(&file, builder.certificate_entry(), file.len())
        );
        let mut other = file.clone();
        other[CHECKSUM] ^= 1;
        assert_eq!(sha256(&file).unwrap(), sha256(&other).unwrap());
        other[CHECKSUM + 4] ^= 1;
        assert_ne!(sha256(&file).unwrap(), sha256(&other).unwrap());
    }
}

#[test]
fn pads_the_image_to_eight_bytes() {
    let mut builder = Builder::stub();
    builder.trailing = b"abc".to_vec();
    let odd = builder.build();
    builder.trailing = b"abc\0\0\0\0\0".to_vec();
    assert_eq!(sha256(&odd).unwrap(), sha256(&builder.build()).unwrap());
    assert_eq!(
        sha256(&odd).unwrap(),
        expected(&odd, builder.certificate_entry(), odd.len())
    );
    let padded = |file: &[u8]| authenticode::is_padded(&builder::read(file));
    assert!(padded(&odd) && !padded(&builder.build()));
}

#[test]
fn every_byte_of_a_section_counts() {
    let builder = Builder::stub();
    let file = builder.build();
    let reference = sha256(&file).unwrap();
    for at in (0x800..file.len()).step_by(97) {
        let mut other = file.clone();
        other[at] ^= 0x10;
        assert_ne!(sha256(&other).unwrap(), reference, "byte {at}");
    }
}

#[test]
fn any_digest_can_be_computed() {
    let file = Builder::stub().build();
    let image = builder::read(&file);
    let digest = authenticode::digest::<Sha384, _>(&image, &mut Cursor::new(&file)).unwrap();
    assert_eq!(digest.len(), 48);
}

fn stored(file: &[u8]) -> Result<[u8; 32], ReadError> {
    let digest = authenticode::stored_digest::<Sha256, _>;
    digest(&builder::read(file), &mut Cursor::new(file)).map(Into::into)
}

#[test]
fn firmware_hashes_as_signers_do_but_for_padding() {
    let mut builder = Builder::stub();
    let file = builder.build();
    assert_eq!(stored(&file).unwrap(), sha256(&file).unwrap());
    builder.trailing = b"abc".to_vec();
    let odd = builder.build();
    assert_ne!(stored(&odd).unwrap(), sha256(&odd).unwrap());
    builder.trailing = b"abc\0\0\0\0\0".to_vec();
    let even = builder.build();
    assert_eq!(stored(&even).unwrap(), sha256(&even).unwrap());
}

#[test]
fn firmware_hashes_images_with_gaps_and_refuses_sections_larger_than_the_file() {
    let builder = Builder::stub();
    let moved = |at: usize, value: u32| {
        let mut file = builder.build();
        file[builder.section_table() + at..][..4].copy_from_slice(&value.to_le_bytes());
        file
    };
    // SizeOfRawData stands at 16 in a row, PointerToRawData at 20.
    let gap = moved(20, 0xa00);
    assert!(sha256(&gap).is_err());
    assert!(stored(&gap).is_ok());
    let all = u32::try_from(builder.build().len()).unwrap() - 0x800;
    let overlap = stored(&moved(16, all)).unwrap_err();
    assert!(
        matches!(overlap, ReadError::SectionOverlap { .. }),
        "{overlap}"
    );
}

#[test]
fn refuses_gaps_and_overlaps() {
    let builder = Builder::stub();
    for (row, offset, wanted) in [
        (0, 0x600_u32, "SectionInHeaders"),
        (0, 0xa00, "SectionGap"),
        (1, 0x801, "SectionOverlap"),
    ] {
        let mut file = builder.build();
        let field = builder.section_table() + 40 * row + 20;
        file[field..][..4].copy_from_slice(&offset.to_le_bytes());
        let refused = format!("{:?}", sha256(&file).unwrap_err());
        assert!(refused.starts_with(wanted), "{refused}");
    }
}

#[test]
fn refuses_bytes_behind_the_certificate_table() {
    let builder = Builder::stub();
    let mut file = builder.build();
    let entry = builder.certificate_entry();
    let start = file.len() as u32;
    file[entry..][..4].copy_from_slice(&start.to_le_bytes());
    file[entry + 4..][..4].copy_from_slice(&8_u32.to_le_bytes());
    file.extend([0; 16]);
    assert!(matches!(
        sha256(&file),
        Err(ReadError::CertificateTableNotLast(8))
    ));
    file.truncate(file.len() - 8);
    assert_eq!(
        sha256(&file).unwrap(),
        expected(&file, entry, start as usize)
    );
}
