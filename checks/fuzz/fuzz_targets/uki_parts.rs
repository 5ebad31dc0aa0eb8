//! What goes into a UKI: kernels, compressed or not, and profiles. What can be planned is written, and is read back as it was planned.
//!
//! The first byte says what the rest is: even a kernel, odd a profile. Seeds: a small kernel as it is, compressed with gzip and zstd,
//! as zboot images, and profiles with and without a kernel.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use touchstone_pe::Image;
use touchstone_pe::uki::{Kernel, Profile, UkiParts, plan, read_stub};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let mut parts = UkiParts::default();
    if kind % 2 == 0 {
        parts.linux = Some(Kernel::new(Cursor::new(rest)));
    } else {
        parts.joined = vec![Profile::new(Cursor::new(rest))];
        parts.os_release = Some(b"ID=fuzz".to_vec());
    }
    let mut stub = Cursor::new(stub());
    let image = read_stub(&mut stub).expect("the stub is one");
    let Ok(layout) = plan(&image, &mut stub, parts) else {
        return;
    };
    let sections = layout.sections().to_vec();
    let mut out = Cursor::new(Vec::new());
    let written = layout.write(&mut stub, &mut out, &mut [], &mut |_| ());
    let written = written.expect("what is planned is written");
    let read = Image::read(&mut out).expect("what is written is an image");
    assert_eq!(read, written.image);
    assert_eq!(read.sections(), sections);
});

/// A systemd stub, as far as it is looked at.
fn stub() -> Vec<u8> {
    let mut file = vec![0; 0x800];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    let numbers: [(usize, u32); 9] = [
        (0x3c, 0x40),
        // Machine and number of sections; size of the optional header; its magic number.
        (0x44, 0x0001_8664),
        (0x54, 0x00f0),
        (0x58, 0x020b),
        // SectionAlignment, FileAlignment, SizeOfImage, SizeOfHeaders; DllCharacteristics with the subsystem before it.
        (0x78, 0x1000),
        (0x7c, 0x200),
        (0x90, 0x2000),
        (0x94, 0x600),
        (0x9c, 0x0100_000a),
    ];
    for (at, number) in numbers {
        put(at, &number.to_le_bytes());
    }
    put(0, b"MZ");
    put(0x40, b"PE\0\0");
    put(0xc4, &16_u32.to_le_bytes());
    let magic = b"#### LoaderInfo: systemd-stub 262 ####";
    put(0x148, b".sdmagic");
    for (field, number) in [magic.len() as u32, 0x1000, 0x200, 0x600]
        .iter()
        .enumerate()
    {
        put(0x150 + 4 * field, &number.to_le_bytes());
    }
    put(0x16c, &0x4000_0040_u32.to_le_bytes());
    put(0x600, magic);
    file
}
