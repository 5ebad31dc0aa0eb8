//! The writer: what can be planned is written, and what was written is read back as it was planned, with the digest
//! and checksum that were computed on the way.
//!
//! An input begins with the number of changes (its lower three bits; the next bit asks for `CheckSum`), and three bytes
//! for each: kind, row, length of the content in units of 37 bytes. The rest is the base image. Seeds: those of
//! `pe_image` behind some changes.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use touchstone_pe::layout::{
    Change, Content, Layout, NewSection, Options, PlanError, Which, Written,
};
use touchstone_pe::{Image, WriteError, authenticode, checksum};

const DATA: u32 = 0x4000_0040;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let Some((script, base)) = rest.split_at_checked(3 * usize::from(first & 7)) else {
        return;
    };
    let Ok(image) = Image::read(&mut Cursor::new(base)) else {
        return;
    };
    let options = Options {
        checksum: first & 8 != 0,
        ..Options::default()
    };
    let Some((file, written)) = edited(base, &image, changes(script), options) else {
        return;
    };
    check(&file, &written, options);
    add_and_remove(&image, base);
});

/// Content that differs by its length.
fn content(len: u8) -> Vec<u8> {
    vec![len; 37 * usize::from(len)]
}

fn changes(script: &[u8]) -> Vec<Change<'static>> {
    let steps = script.chunks_exact(3);
    steps
        .map(|step| match *step {
            [kind, row, len] => match kind % 3 {
                0 => add(content(len)),
                1 => Change::Replace(Which::Row(row.into()), Content::bytes(content(len))),
                _ => Change::Remove(Which::Row(row.into())),
            },
            _ => unreachable!("chunks of three"),
        })
        .collect()
}

fn add(bytes: Vec<u8>) -> Change<'static> {
    Change::Add(NewSection {
        name: ".fuzz".parse().expect("a name"),
        content: Content::bytes(bytes),
        characteristics: DATA,
    })
}

fn edited(
    base: &[u8],
    image: &Image,
    changes: Vec<Change<'static>>,
    options: Options,
) -> Option<(Vec<u8>, Written)> {
    let layout = Layout::edit(image, changes, options).ok()?;
    let (len, sections) = (layout.len(), layout.sections().to_vec());
    let mut out = Cursor::new(Vec::new());
    match layout.write(&mut Cursor::new(base), &mut out, &mut [], &mut |_| ()) {
        Ok(written) => {
            assert_eq!(out.get_ref().len() as u64, len);
            assert_eq!(written.image.sections(), sections);
            Some((out.into_inner(), written))
        }
        // The one thing that planning, which does not read the base, cannot see.
        Err(WriteError::HeaderRoomInUse) => None,
        Err(other) => panic!("what was planned cannot be written: {other}"),
    }
}

fn check(file: &[u8], written: &Written, options: Options) {
    let mut source = Cursor::new(file);
    let image = Image::read(&mut source).expect("what was written can be read");
    assert_eq!(image, written.image);
    let digest = authenticode::sha256(&image, &mut source).expect("what was written can be hashed");
    assert_eq!(digest, written.authenticode_sha256);
    let sum = if options.checksum {
        checksum::compute(&image, &mut source).expect("a checksum")
    } else {
        0
    };
    assert_eq!(image.checksum(), sum);
    // What was written is a base again.
    assert!(Layout::edit(&image, Vec::new(), options).is_ok());
}

/// A section that is added and removed again leaves nothing behind.
fn add_and_remove(image: &Image, base: &[u8]) {
    let options = Options::default();
    let Some((plain, _)) = edited(base, image, Vec::new(), options) else {
        return;
    };
    let Some((with, written)) = edited(base, image, vec![add(vec![7; 5])], options) else {
        return;
    };
    let last = vec![Change::Remove(Which::Row(image.sections().len()))];
    // An entry point or directory that lay in no section lies in the added one now.
    if let Err(PlanError::EntryPointLost(_) | PlanError::DirectoryLost { .. }) =
        Layout::edit(&written.image, last, options)
    {
        return;
    }
    let last = vec![Change::Remove(Which::Row(image.sections().len()))];
    let (without, _) = edited(&with, &written.image, last, options).expect("removing");
    assert_eq!(plain, without);
}
