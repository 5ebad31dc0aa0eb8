//! Certificate tables: any bytes stand at the end of an image; what is appended to them and taken
//! out of them leaves the others as they were.
//!
//! Seeds: tables of one and two signatures (ours and sbsign's), of osslsigncode's padding, and of an
//! entry of another type.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use touchstone_pe::certificates::{self, Removal};
use touchstone_pe::{Image, checksum};

/// The smallest of the images for the other targets; not signed.
const STUB: &[u8] = include_bytes!("../corpus/pe_image/addon-stub");
const APPENDED: &[u8] = &[0x30, 3, 2, 1, 7];
/// Offsets in the optional header of a PE32+ image ("PE Format").
const CHECK_SUM: usize = 64;
const CERTIFICATES: usize = 112 + 4 * 8;

fn optional_header() -> usize {
    let place = STUB.get(0x3c..0x40).expect("a DOS header");
    let place = u32::from_le_bytes(place.try_into().expect("four bytes"));
    place as usize + 24
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// The image with this certificate table, and without one.
fn image(table: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut plain = STUB.to_vec();
    plain.resize(plain.len().next_multiple_of(8), 0);
    put(&mut plain, optional_header() + CHECK_SUM, &[0; 4]);
    let mut file = plain.clone();
    let entry = optional_header() + CERTIFICATES;
    put(&mut file, entry, &(plain.len() as u32).to_le_bytes());
    put(&mut file, entry + 4, &(table.len() as u32).to_le_bytes());
    file.extend(table);
    (file, plain)
}

fn remove(file: &[u8], which: Removal) -> Option<Vec<u8>> {
    let mut file = Cursor::new(file.to_vec());
    let image = Image::read(&mut file).expect("what was an image");
    let left = certificates::remove(&mut file, &image, which).ok()?;
    let mut file = file.into_inner();
    file.truncate(left as usize);
    Some(file)
}

fn signatures(file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut file = Cursor::new(file);
    let image = Image::read(&mut file).ok()?;
    certificates::read(&image, &mut file).ok()
}

fuzz_target!(|table: &[u8]| {
    let (file, plain) = image(table);
    if table.is_empty() {
        return;
    }
    assert_eq!(remove(&file, Removal::All).as_ref(), Some(&plain));
    let Some(before) = signatures(&file) else {
        assert_eq!(remove(&file, Removal::One(0)), None);
        return;
    };
    for place in 0..before.len() {
        let left = remove(&file, Removal::One(place)).expect("it is there");
        let mut expected = before.clone();
        drop(expected.remove(place));
        assert_eq!(signatures(&left), Some(expected));
    }
    assert_eq!(remove(&file, Removal::One(before.len())), None);

    let mut appended = Cursor::new(file);
    let image = Image::read(&mut appended).expect("what was an image");
    let Ok(image) = certificates::append(&mut appended, &image, APPENDED) else {
        panic!("nothing is appended to a table that can be read");
    };
    checksum::write(&image, &mut appended).expect("a CheckSum");
    let appended = appended.into_inner();
    let mut expected = before.clone();
    expected.push(APPENDED.to_vec());
    assert_eq!(signatures(&appended), Some(expected));
    let again = remove(&appended, Removal::One(before.len())).expect("it is there");
    assert_eq!(signatures(&again), Some(before));
});
