use std::io::Cursor;

use touchstone_pe::{Image, ReadError, WriteError, authenticode, certificates};

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
