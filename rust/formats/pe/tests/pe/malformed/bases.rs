//! Images that can be read, but not built upon; and SBAT.

use super::*;

/// The PE header 16 bytes earlier, over the end of the DOS header.
fn early_header() -> Vec<u8> {
    let mut file = stub();
    file.copy_within(PE..0x7f0, PE - 16);
    put(file, &[(0x3c, PE as u32 - 16)])
}

fn no_sections() -> Vec<u8> {
    put(Builder::new().build(), &[(OPTIONAL + 36, 0x1000)])
}

fn sbat(text: &str) -> Vec<u8> {
    Builder::new().section(".sbat", text.as_bytes()).build()
}

const HEADER: &str = "sbat,1,SBAT Version,sbat,1,https://example.org\n";

pub const BASES: &[Row] = &[
    // A base image.
    ("a signed base", "Signed", || {
        planning(table(&[8, 0, 0, 0, 0, 2, 2, 0]))
    }),
    (
        "a PE header over the DOS header",
        "PeHeaderInDosHeader",
        || planning(early_header()),
    ),
    ("no FileAlignment", "FileAlignment", || {
        planning(with(&[(OPTIONAL + 36, 0)]))
    }),
    ("an odd FileAlignment", "FileAlignment", || {
        planning(with(&[(OPTIONAL + 36, 0x300)]))
    }),
    ("no SectionAlignment", "SectionAlignment", || {
        planning(with(&[(OPTIONAL + 32, 0)]))
    }),
    ("an odd SectionAlignment", "SectionAlignment", || {
        planning(with(&[(OPTIONAL + 32, 0x1001)]))
    }),
    ("sections closer than file blocks", "AlignmentOrder", || {
        planning(with(&[(OPTIONAL + 32, 0x100)]))
    }),
    ("relocations of an object file", "ObjectFileData", || {
        planning(rows(&[(1, RELOCATIONS, 0x1000)]))
    }),
    (
        "a section on the headers in memory",
        "SectionOnHeaders",
        || planning(rows(&[(0, VIRTUAL_ADDRESS, 0x7ff)])),
    ),
    (
        "sections out of order in memory",
        "SectionsUnordered",
        || planning(rows(&[(2, VIRTUAL_ADDRESS, 0x1800)])),
    ),
    (
        "sections over one another in memory",
        "SectionsOverlapInMemory",
        || planning(rows(&[(2, VIRTUAL_SIZE, 0x1001)])),
    ),
    ("a section at an odd place", "SectionUnaligned", || {
        planning(rows(&[(1, RAW_OFFSET, 0xa01)]))
    }),
    (
        "headers without their padding",
        "HeaderPaddingOutside",
        || planning(no_sections()),
    ),
    ("a gap in the base", "SectionGap", || {
        planning(rows(&[(0, RAW_SIZE, 0)]))
    }),
    ("symbols within a section", "SymbolTableInSection", || {
        planning(with(&[(COFF + 8, 0x1100)]))
    }),
    ("symbols beyond the file", "SymbolTableOutside", || {
        planning(with(&[(COFF + 8, LEN), (COFF + 12, 1)]))
    }),
    ("4 Gi symbols", "SymbolTableOutside", || {
        planning(with(&[(COFF + 8, u32::MAX), (COFF + 12, u32::MAX)]))
    }),
    ("bytes behind the symbols", "SymbolTableNotLast", || {
        planning(trailing(&[4, 0, 0, 0, 1], &[(COFF + 8, LEN)]))
    }),
    ("bytes behind the sections", "TrailingData", || {
        planning(trailing(&[1; 3], &[]))
    }),
    ("bytes before the symbols", "TrailingData", || {
        planning(trailing(&[1, 4, 0, 0, 0], &[(COFF + 8, LEN + 1)]))
    }),
    ("a last section without its padding", "UnalignedEnd", || {
        let mut file = rows(&[(3, RAW_SIZE, 0x1ff)]);
        file.pop();
        planning(file)
    }),
    ("a full section table", "NoHeaderRoom", || {
        let mut builder = Builder::stub();
        builder.size_of_headers = 0x200;
        adding(builder.build())
    }),
    (
        "something behind the section table",
        "HeaderRoomInUse",
        || adding(with(&[(TABLE + 4 * 40 + 36, 1)])),
    ),
    ("memory full to the brim", "TooLarge", || {
        adding(rows(&[
            (3, VIRTUAL_ADDRESS, 0xffff_e000),
            (3, VIRTUAL_SIZE, 0x2000),
        ]))
    }),
    (
        "a section too small for its new text",
        "NoRoomInPlace",
        || {
            overwriting_sbat(rows(&[
                (1, VIRTUAL_SIZE, 0x100),
                (2, VIRTUAL_ADDRESS, 0x2100),
            ]))
        },
    ),
    ("no memory for a longer text", "NoRoomInMemory", || {
        replacing_sbat(rows(&[
            (1, VIRTUAL_SIZE, 0x100),
            (2, VIRTUAL_ADDRESS, 0x2100),
        ]))
    }),
    (
        "a program that begins in what is removed",
        "EntryPointLost",
        || removing_sbat(with(&[(OPTIONAL + 16, 0x2010)])),
    ),
    (
        "a data directory in what is removed",
        "DirectoryLost",
        || {
            removing_sbat(with(&[
                (OPTIONAL + 112 + 5 * 8, 0x2010),
                (OPTIONAL + 112 + 5 * 8 + 4, 8),
            ]))
        },
    ),
    (
        "debug data that name places in the file",
        "DebugData",
        || {
            removing_sbat(with(&[
                (OPTIONAL + 112 + 6 * 8, 0x1000),
                (OPTIONAL + 112 + 6 * 8 + 4, 4),
            ]))
        },
    ),
    ("two sections of one name", "AmbiguousSection", || {
        let base = Builder::stub().section(".sbat", b"second");
        removing_sbat(base.build())
    }),
    // SBAT.
    ("SBAT without header", "NoHeader", || {
        revoking(sbat("stub,1\n"))
    }),
    ("SBAT with a control character", "NotText", || {
        revoking(sbat("sbat,1\n\x07"))
    }),
    ("an SBAT row that is cut off", "TooFewFields", || {
        revoking(sbat(&format!("{HEADER}stub,1,vendor\n")))
    }),
    ("an SBAT row without name", "ComponentName", || {
        revoking(sbat(&format!("{HEADER},1,vendor,stub,1,url\n")))
    }),
    ("an SBAT generation that is no number", "Generation", || {
        revoking(sbat(&format!("{HEADER}stub,one,vendor,stub,1,url\n")))
    }),
    ("an SBAT generation of zero", "Generation", || {
        revoking(sbat(&format!("{HEADER}stub,0,vendor,stub,1,url\n")))
    }),
];
