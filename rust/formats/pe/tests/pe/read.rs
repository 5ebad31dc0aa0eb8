use std::io::Cursor;

use touchstone_pe::{Image, Machine, ReadError, SectionName, SectionNameError, observe_sections};

use crate::builder::{self, Builder, OPTIONAL, PE, Seen};

fn refusal(file: &[u8]) -> ReadError {
    Image::read(&mut Cursor::new(file)).unwrap_err()
}

#[test]
fn reads_machine_and_sections_of_both_header_forms() {
    for (number, pe32, machine) in [
        (0x8664, false, Machine::X86_64),
        (0xaa64, false, Machine::Aarch64),
        (0x14c, true, Machine::Ia32),
        (0x5064, false, Machine::Riscv64),
        (0x6264, false, Machine::LoongArch64),
        (0x1234, false, Machine::Other(0x1234)),
    ] {
        let mut builder = Builder::stub().machine(number);
        builder.pe32 = pe32;
        let image = builder.image();
        assert_eq!(image.machine(), machine);
        let names: Vec<_> = image
            .sections()
            .iter()
            .map(|section| section.name.as_str())
            .collect();
        assert_eq!(names, [".text", ".sbat", ".sdmagic", ".reloc"]);
        assert_eq!(image.dll_characteristics(), 0x100);
        assert_eq!(image.len(), builder.build().len() as u64);
    }
}

#[test]
fn says_why_a_file_is_no_pe_image() {
    for file in [
        &b""[..],
        b"MZ",
        &[0; 4096],
        b"\x7fELF and then some more bytes, at least sixty-four, as there must be",
    ] {
        assert!(matches!(refusal(file), ReadError::NotPe(_)), "{file:?}");
    }
    let mut file = Builder::stub().build();
    file[PE] = b'X';
    assert!(matches!(refusal(&file), ReadError::NotPe(_)));
    file[0x3f] = 0xff;
    assert!(matches!(refusal(&file), ReadError::NotPe(_)));
}

#[test]
fn refuses_a_section_past_the_end_of_the_file() {
    let mut file = Builder::stub().build();
    file.truncate(file.len() - 1);
    assert!(matches!(refusal(&file), ReadError::SectionOutside { .. }));
}

#[test]
fn refuses_headers_past_the_end_of_the_file() {
    let file = Builder::stub().build();
    for len in [0x100, 0x180, 0x400] {
        assert!(
            format!("{:?}", refusal(&file[..len])).contains("Outside"),
            "{len}"
        );
    }
}

#[test]
fn refuses_headers_that_contradict_themselves() {
    let mut file = Builder::stub().build();
    file[OPTIONAL + 60..][..4].copy_from_slice(&0x100_u32.to_le_bytes());
    assert!(
        matches!(refusal(&file), ReadError::HeadersTooSmall { .. }),
        "SizeOfHeaders before the section table"
    );
    let mut file = Builder::stub().build();
    file[OPTIONAL] = 0;
    assert!(
        matches!(refusal(&file), ReadError::OptionalHeaderKind(0x200)),
        "unknown magic number"
    );
    let mut file = Builder::stub().build();
    file[OPTIONAL + 108] = 17;
    assert!(
        matches!(refusal(&file), ReadError::TooManyDirectories(17)),
        "17 data directories"
    );
}

#[test]
fn refuses_a_certificate_table_past_the_end_of_the_file() {
    let builder = Builder::stub();
    let mut file = builder.build();
    let entry = builder.certificate_entry();
    let start = file.len() as u32;
    file[entry..][..4].copy_from_slice(&start.to_le_bytes());
    file[entry + 4..][..4].copy_from_slice(&8_u32.to_le_bytes());
    assert!(matches!(
        refusal(&file),
        ReadError::CertificateTableOutside { .. }
    ));
}

#[test]
fn section_bytes_are_those_in_memory() {
    let builder = Builder::stub();
    let mut file = builder.build();
    let row = builder.section_table();
    file[row + 8..][..4].copy_from_slice(&0x300_u32.to_le_bytes()); // .text: 0x200 bytes stored
    let image = builder::read(&file);
    let section = image.section(".text").unwrap();
    let mut source = Cursor::new(&file);
    let bytes = image.section_bytes(&mut source, section, 0x300).unwrap();
    assert_eq!((bytes.len(), &bytes[..4]), (0x300, &b"code"[..]));
    let refused = image
        .section_bytes(&mut source, section, 0x2ff)
        .unwrap_err();
    assert!(matches!(
        refused,
        ReadError::SectionTooLarge {
            size: 0x300,
            limit: 0x2ff,
            ..
        }
    ));
}

#[test]
fn observers_see_virtual_size_bytes_of_every_section() {
    let builder = Builder::stub();
    let mut file = builder.build();
    let row = builder.section_table();
    file[row + 8..][..4].copy_from_slice(&0x300_u32.to_le_bytes());
    let mut seen = Seen::default();
    observe_sections(
        &builder::read(&file),
        &mut Cursor::new(&file),
        &mut [&mut seen],
    )
    .unwrap();
    assert_eq!(seen.names(), [".text", ".sbat", ".sdmagic", ".reloc"]);
    assert_eq!(seen.get(".text").unwrap().len(), 0x300);
    assert_eq!(seen.get(".reloc").unwrap(), b"relocations");
}

#[test]
fn refuses_to_observe_more_than_an_address_space() {
    let builder = Builder::stub();
    let mut file = builder.build();
    for index in 0..2 {
        file[builder.section_table() + 40 * index + 8..][..4]
            .copy_from_slice(&0x9000_0000_u32.to_le_bytes());
    }
    let mut seen = Seen::default();
    let refused = observe_sections(
        &builder::read(&file),
        &mut Cursor::new(&file),
        &mut [&mut seen],
    );
    assert!(matches!(refused, Err(ReadError::SectionsTooLarge(_))));
    assert_eq!(seen, Seen::default());
}

#[test]
fn section_names_have_one_to_eight_bytes() {
    assert_eq!(
        ".cmdline".parse::<SectionName>().unwrap().as_str(),
        ".cmdline"
    );
    assert_eq!(
        SectionName::try_from(".a").unwrap().to_bytes(),
        *b".a\0\0\0\0\0\0"
    );
    assert!(matches!(
        ".cmdlines".parse::<SectionName>(),
        Err(SectionNameError::TooLong(_))
    ));
    assert!(matches!(
        "".parse::<SectionName>(),
        Err(SectionNameError::Empty)
    ));
    assert!(matches!(
        "a\0b".parse::<SectionName>(),
        Err(SectionNameError::Nul(_))
    ));
}
