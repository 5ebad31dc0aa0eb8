//! Every way in which an image can be malformed, and the name of the error that says so.
//!
//! Images are made by `builder`: a stub of four sections (`.text` at 0x800 in the file and 0x1000
//! in memory, `.sbat` at 0xa00 and 0x2000, `.sdmagic` at 0xe00 and 0x3000, `.reloc` at 0x1000 and
//! 0x4000; 0x1200 bytes), of which one thing is changed.

mod bases;

use crate::builder::{Builder, OPTIONAL, PE};
use crate::failing::*;

/// What is wrong, the error's name, and its debug text when it happens.
pub type Row = (&'static str, &'static str, fn() -> String);

const COFF: usize = PE + 4;
const TABLE: usize = OPTIONAL + 240;
const CERTIFICATES: usize = OPTIONAL + 112 + 32;
const LEN: u32 = 0x1200;

fn stub() -> Vec<u8> {
    Builder::stub().build()
}

/// The stub with 32-bit fields changed.
fn with(fields: &[(usize, u32)]) -> Vec<u8> {
    put(stub(), fields)
}

fn put(mut file: Vec<u8>, fields: &[(usize, u32)]) -> Vec<u8> {
    for (at, value) in fields {
        file[*at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    file
}

/// The stub with fields of the section table changed: row, field (counted in 32-bit words).
fn rows(fields: &[(usize, usize, u32)]) -> Vec<u8> {
    let place = |(row, field, value): &(usize, usize, u32)| (TABLE + 40 * row + 4 * field, *value);
    with(&fields.iter().map(place).collect::<Vec<_>>())
}

const VIRTUAL_SIZE: usize = 2;
const VIRTUAL_ADDRESS: usize = 3;
const RAW_SIZE: usize = 4;
const RAW_OFFSET: usize = 5;
const RELOCATIONS: usize = 6;

fn cut(len: usize) -> Vec<u8> {
    stub()[..len].to_vec()
}

fn trailing(bytes: &[u8], fields: &[(usize, u32)]) -> Vec<u8> {
    let mut builder = Builder::stub();
    builder.trailing = bytes.to_vec();
    put(builder.build(), fields)
}

/// A stub whose certificate table holds `bytes`.
fn table(bytes: &[u8]) -> Vec<u8> {
    let size = bytes.len() as u32;
    trailing(bytes, &[(CERTIFICATES, LEN), (CERTIFICATES + 4, size)])
}

fn named(name: &[u8; 8], symbols: &[u8]) -> Vec<u8> {
    let start = if symbols.is_empty() { 0 } else { LEN };
    let mut file = trailing(symbols, &[(COFF + 8, start)]);
    file[TABLE..TABLE + 8].copy_from_slice(name);
    file
}

/// Those that cannot be read, hashed or signed.
const IMAGES: &[Row] = &[
    // Headers.
    ("an empty file", "TooShort", || reading(vec![])),
    ("a DOS header without its end", "TooShort", || {
        reading(cut(63))
    }),
    ("an ELF program", "NoDosHeader", || {
        reading([b"\x7fELF", &[0; 96][..]].concat())
    }),
    ("e_lfanew beyond the file", "PointerOutside", || {
        reading(with(&[(0x3c, LEN)]))
    }),
    ("e_lfanew at the end of 4 GiB", "PointerOutside", || {
        reading(with(&[(0x3c, u32::MAX)]))
    }),
    ("another signature than PE", "NoSignature", || {
        reading(with(&[(PE, 0x454e)]))
    }),
    ("a DOS program", "NoSignature", || {
        reading(with(&[(0x3c, 0)]))
    }),
    ("more than 4 GiB", "TooLarge", reading_five_gibibytes),
    (
        "cut off within the COFF header",
        "CoffHeaderOutside",
        || reading(cut(COFF + 19)),
    ),
    (
        "cut off within the optional header",
        "OptionalHeaderOutside",
        || reading(cut(0x100)),
    ),
    ("an object file", "OptionalHeaderTooSmall", || {
        reading(with(&[(COFF + 16, 0)]))
    }),
    (
        "an optional header of PE32 in PE32+",
        "OptionalHeaderTooSmall",
        || reading(with(&[(COFF + 16, 96)])),
    ),
    ("a ROM image", "OptionalHeaderKind", || {
        reading(with(&[(OPTIONAL, 0x107)]))
    }),
    ("17 data directories", "TooManyDirectories", || {
        reading(with(&[(OPTIONAL + 108, 17)]))
    }),
    ("4 Gi data directories", "TooManyDirectories", || {
        reading(with(&[(OPTIONAL + 108, u32::MAX)]))
    }),
    (
        "directories behind the optional header",
        "DirectoriesOutside",
        || reading(with(&[(COFF + 16, 239)])),
    ),
    (
        "cut off within the section table",
        "SectionTableOutside",
        || reading(cut(TABLE + 159)),
    ),
    ("65535 sections", "SectionTableOutside", || {
        reading(with(&[(COFF, 0xffff_8664)]))
    }),
    (
        "SizeOfHeaders before the section table ends",
        "HeadersTooSmall",
        || reading(with(&[(OPTIONAL + 60, TABLE as u32 + 159)])),
    ),
    ("no SizeOfHeaders", "HeadersTooSmall", || {
        reading(with(&[(OPTIONAL + 60, 0)]))
    }),
    ("cut off within the headers", "HeadersOutside", || {
        reading(cut(0x7ff))
    }),
    ("SizeOfHeaders of 4 GiB", "HeadersOutside", || {
        reading(with(&[(OPTIONAL + 60, u32::MAX)]))
    }),
    (
        "a section name of half a letter",
        "SectionNameNotText",
        || reading(named(b".\xc3\0\0\0\0\0\0", b"")),
    ),
    ("cut off within the last section", "SectionOutside", || {
        reading(cut(0x11ff))
    }),
    ("a section at the end of 4 GiB", "SectionOutside", || {
        reading(rows(&[(0, RAW_OFFSET, u32::MAX), (0, RAW_SIZE, u32::MAX)]))
    }),
    (
        "a section beyond 4 GiB of memory",
        "SectionBeyondMemory",
        || {
            reading(rows(&[
                (3, VIRTUAL_ADDRESS, 0xffff_f000),
                (3, VIRTUAL_SIZE, 0x1001),
            ]))
        },
    ),
    (
        "signatures behind the file",
        "CertificateTableOutside",
        || reading(with(&[(CERTIFICATES, LEN), (CERTIFICATES + 4, 8)])),
    ),
    // Sections as a caller asks for them.
    ("a section of 3 GiB", "SectionTooLarge", || {
        first_section(rows(&[
            (3, VIRTUAL_SIZE, 3 << 30),
            (0, VIRTUAL_SIZE, 3 << 30),
        ]))
    }),
    ("sections of 6 GiB together", "SectionsTooLarge", || {
        observing(rows(&[
            (3, VIRTUAL_SIZE, 3 << 30),
            (2, VIRTUAL_SIZE, 3 << 30),
        ]))
    }),
    ("a long name without number", "LongNameNumber", || {
        naming(named(b"/vendor\0", b"sym"))
    }),
    ("a long name with a sign", "LongNameNumber", || {
        naming(named(b"/+4\0\0\0\0\0", b"sym"))
    }),
    (
        "a long name, but no string table",
        "LongNameWithoutTable",
        || naming(named(b"/4\0\0\0\0\0\0", b"")),
    ),
    (
        "a long name behind the string table",
        "LongNameOutside",
        || naming(named(b"/9\0\0\0\0\0\0", b"\x09\0\0\0name\0")),
    ),
    (
        "a long name in the string table's length",
        "LongNameOutside",
        || naming(named(b"/3\0\0\0\0\0\0", b"\x09\0\0\0name\0")),
    ),
    ("a long name without end", "LongNameNotText", || {
        naming(named(b"/4\0\0\0\0\0\0", b"\x08\0\0\0name"))
    }),
    ("a long name that is no text", "LongNameNotText", || {
        naming(named(b"/4\0\0\0\0\0\0", b"\x06\0\0\0\xff\0"))
    }),
    // The digest.
    ("a section within the headers", "SectionInHeaders", || {
        hashing(rows(&[(0, RAW_OFFSET, 0x600)]))
    }),
    ("a gap behind the headers", "SectionGap", || {
        hashing(with(&[(OPTIONAL + 60, 0x7f8)]))
    }),
    ("a gap between sections", "SectionGap", || {
        hashing(rows(&[(1, RAW_SIZE, 0x200)]))
    }),
    ("a section within another", "SectionOverlap", || {
        hashing(rows(&[(1, RAW_OFFSET, 0x9ff)]))
    }),
    ("two sections of the same bytes", "SectionOverlap", || {
        hashing(rows(&[(1, RAW_OFFSET, 0x800)]))
    }),
    (
        "signatures within the headers",
        "CertificateTableInHeaders",
        || hashing(with(&[(CERTIFICATES, 0x400), (CERTIFICATES + 4, 8)])),
    ),
    (
        "signatures within a section",
        "CertificateTableInSection",
        || hashing(with(&[(CERTIFICATES, 0x1100), (CERTIFICATES + 4, 8)])),
    ),
    (
        "signatures at an odd place",
        "CertificateTableUnaligned",
        || {
            hashing(trailing(
                &[0; 12],
                &[(CERTIFICATES, LEN + 4), (CERTIFICATES + 4, 8)],
            ))
        },
    ),
    (
        "bytes behind the signatures",
        "CertificateTableNotLast",
        || {
            hashing(trailing(
                &[0; 12],
                &[(CERTIFICATES, LEN), (CERTIFICATES + 4, 8)],
            ))
        },
    ),
    // Signatures.
    ("signatures of 17 MiB", "CertificateTableTooLarge", || {
        signatures(table(&vec![0; 17 << 20]))
    }),
    (
        "a signature's header cut off",
        "CertificateHeaderCut",
        || signatures(table(&[8, 0, 0, 0])),
    ),
    ("a signature of no length", "CertificateTooShort", || {
        signatures(table(&[0; 8]))
    }),
    (
        "a signature shorter than its header",
        "CertificateTooShort",
        || signatures(table(&[7, 0, 0, 0, 0, 2, 2, 0])),
    ),
    (
        "a signature longer than the table",
        "CertificateOutside",
        || signatures(table(&[9, 0, 0, 0, 0, 2, 2, 0])),
    ),
    ("a signature of 4 GiB", "CertificateOutside", || {
        signatures(table(&[0xff, 0xff, 0xff, 0xff, 0, 2, 2, 0]))
    }),
    ("a second signature cut off", "CertificateHeaderCut", || {
        signatures(table(&[8, 0, 0, 0, 0, 2, 2, 0, 9]))
    }),
    ("no place for signatures", "NoCertificateEntry", || {
        signing(with(&[(OPTIONAL + 108, 4)]))
    }),
];

/// All rows of the table.
pub fn table_of_images() -> impl Iterator<Item = &'static Row> {
    IMAGES.iter().chain(bases::BASES)
}

#[test]
fn every_malformed_image_has_its_own_named_error() {
    for (what, name, fails) in table_of_images() {
        assert_eq!(crate::failing::name(&fails()), *name, "{what}");
    }
    let mut names: Vec<_> = table_of_images().map(|(_, name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 60, "{} names", names.len());
}
