use std::io::Cursor;

use touchstone_pe::layout::{Content, Layout, Options};
use touchstone_pe::{Image, certificates, checksum};

use crate::builder::{self, Builder, CHECKSUM};
use crate::layout::new;

/// By the words of its description, on bytes in memory.
pub fn expected(file: &[u8]) -> u32 {
    let mut copy = file.to_vec();
    copy[CHECKSUM..CHECKSUM + 4].fill(0);
    if copy.len() % 2 == 1 {
        copy.push(0);
    }
    let words = copy
        .chunks(2)
        .map(|word| u32::from(word[0]) | u32::from(word[1]) << 8);
    let sum = words.fold(0, |sum: u32, word| {
        let sum = sum + word;
        (sum & 0xffff) + (sum >> 16)
    });
    sum + file.len() as u32
}

fn compute(file: &[u8]) -> u32 {
    checksum::compute(&builder::read(file), &mut Cursor::new(file)).unwrap()
}

#[test]
fn is_that_of_its_description_for_any_length() {
    for trailing in 0..5 {
        let mut builder = Builder::stub();
        builder.trailing = vec![0xfd; trailing];
        let file = builder.build();
        assert_eq!(compute(&file), expected(&file), "{trailing}");
    }
}

#[test]
fn wraps_carries_around() {
    let file = Builder::new().section(".ff", &[0xff; 300_001]).build();
    assert_eq!(compute(&file), expected(&file));
}

#[test]
fn does_not_count_itself() {
    let mut file = Builder::stub().build();
    let sum = compute(&file);
    file[CHECKSUM] ^= 0x55;
    assert_eq!(compute(&file), sum);
}

#[test]
fn is_written_when_asked_for() {
    let base = Builder::stub().build();
    for (wanted, len) in [(false, 5), (true, 5), (true, 0), (true, 2_000_001)] {
        let options = Options {
            checksum: wanted,
            ..Options::default()
        };
        let section = new(".a", Content::bytes(vec![3; len]));
        let layout = Layout::plan(&builder::read(&base), vec![section], options).unwrap();
        let mut out = Cursor::new(Vec::new());
        let written = layout
            .write(&mut Cursor::new(&base), &mut out, &mut [], &mut |_| ())
            .unwrap();
        let file = out.into_inner();
        assert_eq!(builder::read(&file), written.image);
        let sum = if wanted { expected(&file) } else { 0 };
        assert_eq!(written.image.checksum(), sum);
    }
}

#[test]
fn counts_signatures() {
    let mut file = Cursor::new(Builder::stub().build());
    let image = Image::read(&mut file).unwrap();
    let signed = certificates::append_with_checksum(&mut file, &image, &[0x30, 0]).unwrap();
    assert_eq!(signed.checksum(), expected(file.get_ref()));
    assert_eq!(signed, builder::read(file.get_ref()));
    let again = certificates::append(&mut file, &signed, &[0x30, 0]).unwrap();
    assert_eq!(again.checksum(), 0);
}
