//! PE images: any bytes are read or refused, and what was read can be hashed, shown and planned upon.
//!
//! Seeds: `stub`, `addon-stub` and `kernel` (with SBAT and an x86 setup header) are what a UKI is made of, `uki` is
//! one, `signed` has two certificates, `ia32` is PE32, `symbols` ends with a COFF symbol table; made by the image
//! builder of `touchstone-pe`'s tests. `unaligned-end` was found here: a base whose last section would leave a gap.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use touchstone_pe::uki::{self, Kernel, UkiParts};
use touchstone_pe::{Image, authenticode, certificates};

/// A section's `VirtualSize` may be much larger than the file.
const SECTION_LIMIT: u64 = 64 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Cursor::new(bytes);
    let Ok(image) = Image::read(&mut source) else {
        return;
    };
    assert_eq!(image.len(), bytes.len() as u64);
    for section in image.sections() {
        if let Ok(data) = image.section_bytes(&mut source, section, SECTION_LIMIT) {
            assert_eq!(data.len() as u64, u64::from(section.virtual_size));
        }
    }
    let digest = authenticode::sha256(&image, &mut source);
    if let Ok(signatures) = certificates::read(&image, &mut source) {
        let total: usize = signatures.iter().map(Vec::len).sum();
        assert!(total <= bytes.len());
    }
    assemble(&image, &mut source);
    if let Ok(digest) = digest {
        sign(&image, bytes, digest);
    }
});

/// As stub and as kernel of a UKI: what can be planned is written with the digest that is read back.
fn assemble(image: &Image, source: &mut Cursor<&[u8]>) {
    let linux = Some(Kernel::new(source.clone()));
    let cmdline = Some("quiet".to_owned());
    let uki = UkiParts {
        linux,
        ..UkiParts::default()
    };
    let addon = UkiParts {
        cmdline,
        ..UkiParts::default()
    };
    for parts in [uki, addon] {
        let Ok(layout) = uki::plan(image, source, parts) else {
            continue;
        };
        let mut out = Cursor::new(Vec::new());
        if let Ok(written) = layout.write(source, &mut out, &mut [], &mut |_| ()) {
            assert_eq!(Image::read(&mut out).ok().as_ref(), Some(&written.image));
            let again = authenticode::sha256(&written.image, &mut out).ok();
            assert_eq!(again, Some(written.authenticode_sha256));
        }
    }
}

/// A signature changes no digest.
fn sign(image: &Image, bytes: &[u8], digest: [u8; 32]) {
    let mut copy = Cursor::new(bytes.to_vec());
    if let Ok(signed) = certificates::append(&mut copy, image, &[0x30, 0]) {
        assert_eq!(authenticode::sha256(&signed, &mut copy).ok(), Some(digest));
        let signatures = certificates::read(&signed, &mut copy).unwrap_or_default();
        assert!(signatures.last().is_none_or(|last| last == &[0x30, 0]));
    }
}
