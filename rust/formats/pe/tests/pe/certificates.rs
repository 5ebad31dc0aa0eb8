use std::io::Cursor;

use touchstone_pe::certificates::{self, Removal};
use touchstone_pe::{Image, ReadError, WriteError, authenticode, checksum};

use crate::builder::{self, Builder, OPTIONAL};

const FIRST: &[u8] = &[0x30, 3, 1, 2, 3];
const SECOND: &[u8] = &[0x30, 0x81, 4, 9, 8, 7, 6];

fn append(file: &mut Cursor<Vec<u8>>, signature: &[u8]) -> Image {
    let image = Image::read(file).unwrap();
    certificates::append(file, &image, signature).unwrap()
}

#[test]
fn an_unsigned_image_has_no_signatures() {
    let file = Builder::stub().build();
    assert!(
        certificates::read(&builder::read(&file), &mut Cursor::new(file))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn appended_signatures_are_read_back_in_order_and_change_no_digest() {
    let mut builder = Builder::stub();
    builder.trailing = b"odd".to_vec();
    let plain = builder.build();
    let digest = authenticode::sha256(&builder::read(&plain), &mut Cursor::new(&plain)).unwrap();

    let mut file = Cursor::new(plain);
    append(&mut file, FIRST);
    let image = append(&mut file, SECOND);
    assert_eq!(image, builder::read(file.get_ref()));
    assert_eq!(
        certificates::read(&image, &mut file).unwrap(),
        [FIRST, SECOND]
    );
    assert_eq!(authenticode::sha256(&image, &mut file).unwrap(), digest);
    let table = image.certificate_table().unwrap();
    assert_eq!(
        (table.start % 8, table.end % 8, table.end),
        (0, 0, file.get_ref().len() as u64)
    );
    let start = table.start as usize;
    assert_eq!(
        file.get_ref()[start..start + 8],
        [13, 0, 0, 0, 0, 2, 2, 0],
        "length, revision 2.0, PKCS#7"
    );
}

#[test]
fn leaves_out_other_types_and_padding_that_is_counted_as_data() {
    let mut file = Cursor::new(Builder::stub().build());
    append(&mut file, FIRST);
    let image = append(&mut file, &[0x30, 1, 5, 0, 0, 0, 0, 0]);
    assert_eq!(
        certificates::read(&image, &mut file).unwrap(),
        [FIRST, &[0x30, 1, 5]]
    );
    let start = image.certificate_table().unwrap().start as usize;
    file.get_mut()[start + 6] = 1; // X.509
    assert_eq!(
        certificates::read(&image, &mut file).unwrap(),
        [&[0x30, 1, 5]]
    );
}

#[test]
fn refuses_entries_that_contradict_the_table() {
    let mut file = Cursor::new(Builder::stub().build());
    let image = append(&mut file, FIRST);
    let start = image.certificate_table().unwrap().start as usize;
    for len in [0_u8, 7, 17] {
        file.get_mut()[start] = len;
        let refused = certificates::read(&image, &mut file).unwrap_err();
        assert!(match refused {
            ReadError::CertificateTooShort(wrong) => wrong == u32::from(len),
            ReadError::CertificateOutside(behind) => (len, behind) == (17, 1),
            _ => false,
        });
    }
}

#[test]
fn refuses_to_sign_an_image_without_a_place_for_signatures() {
    let mut file = Builder::stub().build();
    file[OPTIONAL + 108] = 4; // data directories
    let image = builder::read(&file);
    let before = file.clone();
    let refused = certificates::append(&mut Cursor::new(&mut file), &image, FIRST).unwrap_err();
    assert!(matches!(refused, WriteError::NoCertificateEntry));
    assert_eq!(file, before);
}

#[test]
fn refuses_to_append_behind_an_entry_that_would_swallow_the_new_one() {
    let mut file = Cursor::new(Builder::stub().build());
    let image = append(&mut file, FIRST);
    let start = image.certificate_table().unwrap().start as usize;
    file.get_mut()[start] = 24;
    let before = file.get_ref().clone();
    let refused = certificates::append(&mut file, &image, SECOND).unwrap_err();
    assert!(matches!(
        refused,
        WriteError::Base(ReadError::CertificateOutside(8))
    ));
    assert_eq!(*file.get_ref(), before);
}

#[test]
fn refuses_to_append_what_could_not_be_read_back() {
    let file = Builder::stub().build();
    let image = builder::read(&file);
    for signature in [&b""[..], b"no DER", &[0x30, 3, 1], &[0x30, 1, 1, 1]] {
        let mut copy = Cursor::new(file.clone());
        let refused = certificates::append(&mut copy, &image, signature).unwrap_err();
        assert!(
            matches!(refused, WriteError::NotASignature),
            "{signature:?}"
        );
        assert_eq!(*copy.get_ref(), file);
    }
}

fn remove(file: &mut Cursor<Vec<u8>>, which: Removal) -> Result<(), WriteError> {
    let image = Image::read(file).unwrap();
    let left = certificates::remove(file, &image, which)?;
    file.get_mut().truncate(left.try_into().unwrap());
    Ok(())
}

/// Without the `CheckSum`, which signing clears.
fn build(builder: Builder) -> Vec<u8> {
    let mut file = builder.build();
    file[OPTIONAL + 64..OPTIONAL + 68].fill(0);
    file
}

/// The stub with these signatures.
fn signed(signatures: &[&[u8]]) -> Cursor<Vec<u8>> {
    let mut file = Cursor::new(build(Builder::stub()));
    for signature in signatures {
        append(&mut file, signature);
    }
    file
}

#[test]
fn what_was_appended_is_removed_without_a_trace() {
    let mut file = signed(&[FIRST, SECOND]);
    remove(&mut file, Removal::One(1)).unwrap();
    assert_eq!(file.get_ref(), signed(&[FIRST]).get_ref());
    append(&mut file, SECOND);
    remove(&mut file, Removal::One(0)).unwrap();
    assert_eq!(file.get_ref(), signed(&[SECOND]).get_ref());
    remove(&mut file, Removal::One(0)).unwrap();
    assert_eq!(file.get_ref(), signed(&[]).get_ref());
    let mut file = signed(&[FIRST, SECOND]);
    remove(&mut file, Removal::All).unwrap();
    assert_eq!(file.get_ref(), signed(&[]).get_ref());
}

#[test]
fn the_padding_of_a_signer_stays() {
    let mut builder = Builder::stub();
    builder.trailing = b"odd".to_vec();
    let plain = build(builder);
    let mut file = Cursor::new(plain.clone());
    append(&mut file, FIRST);
    remove(&mut file, Removal::All).unwrap();
    let padded = plain.len().next_multiple_of(8);
    assert_eq!(file.get_ref()[..plain.len()], plain);
    assert_eq!(file.get_ref()[plain.len()..], vec![0; padded - plain.len()]);
}

#[test]
fn entries_of_other_types_are_not_counted_and_stay() {
    let mut file = signed(&[FIRST, SECOND]);
    let start = builder::read(file.get_ref())
        .certificate_table()
        .unwrap()
        .start as usize;
    file.get_mut()[start + 6] = 1; // X.509
    remove(&mut file, Removal::One(0)).unwrap();
    let image = builder::read(file.get_ref());
    assert_eq!(
        image.certificate_table(),
        Some(start as u64..start as u64 + 16)
    );
    assert!(certificates::read(&image, &mut file).unwrap().is_empty());
}

#[test]
fn a_signature_that_is_not_there_is_not_removed() {
    for (signatures, place) in [(&[][..], 0), (&[FIRST], 1), (&[FIRST, SECOND], 2)] {
        let mut file = signed(signatures);
        let before = file.get_ref().clone();
        let refused = remove(&mut file, Removal::One(place)).unwrap_err();
        assert!(
            matches!(refused, WriteError::NoSuchSignature { there } if there == signatures.len())
        );
        assert_eq!(*file.get_ref(), before);
    }
    let mut file = signed(&[]);
    remove(&mut file, Removal::All).unwrap();
    assert_eq!(file.get_ref(), signed(&[]).get_ref());
}

#[test]
fn a_table_that_cannot_be_read_is_removed_as_a_whole_only() {
    let mut file = signed(&[FIRST]);
    let start = builder::read(file.get_ref())
        .certificate_table()
        .unwrap()
        .start as usize;
    file.get_mut()[start] = 24;
    let refused = remove(&mut file, Removal::One(0)).unwrap_err();
    assert!(matches!(
        refused,
        WriteError::Base(ReadError::CertificateOutside(8))
    ));
    remove(&mut file, Removal::All).unwrap();
    assert_eq!(file.get_ref(), signed(&[]).get_ref());
}

#[test]
fn what_stands_behind_the_table_is_never_cut_off() {
    let mut file = signed(&[FIRST]);
    file.get_mut().extend([1; 8]);
    let before = file.get_ref().clone();
    let refused = remove(&mut file, Removal::All).unwrap_err();
    assert!(matches!(
        refused,
        WriteError::Base(ReadError::CertificateTableNotLast(8))
    ));
    assert_eq!(*file.get_ref(), before);
}

#[test]
fn the_checksum_is_cleared_and_written_on_request() {
    let mut file = signed(&[FIRST]);
    let image = builder::read(file.get_ref());
    checksum::write(&image, &mut file).unwrap();
    remove(&mut file, Removal::All).unwrap();
    let image = builder::read(file.get_ref());
    assert_eq!(image.checksum(), 0);
    let image = checksum::write(&image, &mut file).unwrap();
    assert_eq!(
        image.checksum(),
        checksum::compute(&image, &mut file).unwrap()
    );
}
