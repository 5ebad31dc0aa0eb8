//! The smallest EFI application that shows that it was started: it prints a line and returns success at once.
//!
//! Source: the PE format of Microsoft ("PE Format", PE32+), the UEFI specification 2.10 for the system table
//! (section 4.3) and `OutputString` (section 12.4.3), System V and Microsoft x64 calling conventions.

/// A program for x86-64 firmware.
#[derive(Debug, Clone, Default)]
pub struct EfiProgram<'a> {
    /// What it prints, on a line of its own.
    pub says: &'a str,
    /// The text of its section `.sbat`, if it has one.
    pub sbat: Option<&'a str>,
}

const PE: usize = 0x40;
const FILE_ALIGNMENT: usize = 0x200;
const SECTION_ALIGNMENT: usize = 0x1000;
/// Bytes of the optional header of PE32+ with all 16 data directories.
const OPTIONAL_HEADER: u16 = 240;
/// Executable, large addresses, without symbols, line numbers and debug data (pesign refuses an image that claims any).
const CHARACTERISTICS: u16 = 0x22e;
const SUBSYSTEM_EFI_APPLICATION: u16 = 10;
const NX_COMPATIBLE: u16 = 0x100;

/// `OutputString(system_table->ConOut, text)`, then success. `text` follows at the address that is filled in.
#[rustfmt::skip]
const CODE: [u8; 26] = [
    0x48, 0x83, 0xec, 0x28,                    // sub  rsp, 40: the callee's shadow space, aligned
    0x48, 0x8b, 0x4a, 0x40,                    // mov  rcx, [rdx + 64]: ConOut
    0x48, 0x8d, 0x15, 0x0b, 0x00, 0x00, 0x00,  // lea  rdx, [rip + 11]: behind the code
    0xff, 0x51, 0x08,                          // call [rcx + 8]: OutputString
    0x31, 0xc0,                                // xor  eax, eax
    0x48, 0x83, 0xc4, 0x28,                    // add  rsp, 40
    0xc3,                                      // ret
    0x90,                                      // the text starts at an even address
];

/// One block of relocations for the first page, with two entries that do nothing: some loaders want to see a section of them.
const RELOCATIONS: [u8; 12] = [0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0];

struct Section {
    name: [u8; 8],
    characteristics: u32,
    data: Vec<u8>,
}

impl EfiProgram<'_> {
    /// The file's bytes.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        let text = format!("\r\n{}\r\n\0", self.says);
        let mut code = CODE.to_vec();
        code.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        image_of(code, self.sbat)
    }
}

/// An image of this code, which starts at its first byte, and this text of `.sbat`.
pub(crate) fn image_of(code: Vec<u8>, sbat: Option<&str>) -> Vec<u8> {
    let mut sections = vec![Section {
        name: *b".text\0\0\0",
        characteristics: 0x6000_0020,
        data: code,
    }];
    sections.extend(sbat.map(|sbat| Section {
        name: *b".sbat\0\0\0",
        characteristics: 0x4000_0040,
        data: sbat.as_bytes().to_vec(),
    }));
    sections.push(Section {
        name: *b".reloc\0\0",
        characteristics: 0x4200_0040,
        data: RELOCATIONS.to_vec(),
    });
    let mut file = headers(&sections);
    for section in &sections {
        file.extend(&section.data);
        file.resize(file.len().next_multiple_of(FILE_ALIGNMENT), 0);
    }
    file
}

/// All headers up to the first section's data; one file alignment has room for eight sections.
fn headers(sections: &[Section]) -> Vec<u8> {
    let mut file = b"MZ".to_vec();
    file.resize(0x3c, 0);
    file.extend(number(PE));
    file.extend(b"PE\0\0");
    file.extend(0x8664_u16.to_le_bytes());
    file.extend(number(sections.len()).into_iter().take(2));
    file.extend([0; 12]);
    file.extend(OPTIONAL_HEADER.to_le_bytes());
    file.extend(CHARACTERISTICS.to_le_bytes());
    let (table, end) = section_table(sections);
    file.extend(optional_header(end));
    file.extend(table);
    file.resize(FILE_ALIGNMENT, 0);
    file
}

/// The optional header of an image that ends at the address `end`; the relocations are the last section.
fn optional_header(end: usize) -> Vec<u8> {
    let mut header = 0x20b_u16.to_le_bytes().to_vec();
    header.extend([0; 2]);
    for field in [FILE_ALIGNMENT, 0, 0, SECTION_ALIGNMENT, SECTION_ALIGNMENT] {
        header.extend(number(field));
    }
    header.extend([0; 8]);
    header.extend(number(SECTION_ALIGNMENT));
    header.extend(number(FILE_ALIGNMENT));
    header.extend([0; 16]);
    header.extend(number(end));
    header.extend(number(FILE_ALIGNMENT));
    header.extend([0; 4]);
    header.extend(SUBSYSTEM_EFI_APPLICATION.to_le_bytes());
    header.extend(NX_COMPATIBLE.to_le_bytes());
    header.extend([0; 36]);
    header.extend(number(16));
    header.extend([0; 5 * 8]);
    header.extend(number(end.saturating_sub(SECTION_ALIGNMENT)));
    header.extend(number(RELOCATIONS.len()));
    header.resize(usize::from(OPTIONAL_HEADER), 0);
    header
}

/// The section table, and where the image ends in memory.
fn section_table(sections: &[Section]) -> (Vec<u8>, usize) {
    let (mut address, mut offset) = (SECTION_ALIGNMENT, FILE_ALIGNMENT);
    let mut table = Vec::new();
    for section in sections {
        let size = section.data.len();
        let raw = size.next_multiple_of(FILE_ALIGNMENT);
        table.extend(section.name);
        for field in [size, address, raw, offset] {
            table.extend(number(field));
        }
        table.extend([0; 12]);
        table.extend(section.characteristics.to_le_bytes());
        address += size.next_multiple_of(SECTION_ALIGNMENT);
        offset += raw;
    }
    (table, address)
}

/// A field of four bytes; nothing here comes near to its limit.
fn number(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_follows_the_code_at_the_address_in_it() {
        let image = EfiProgram {
            says: "hello",
            sbat: None,
        }
        .image();
        let displacement = u32::from_le_bytes(CODE[11..15].try_into().unwrap()) as usize;
        let text = 15 + displacement;
        assert_eq!(text, CODE.len());
        assert_eq!(&image[0x200 + text..][..6], b"\r\0\n\0h\0");
    }

    #[test]
    fn sections_are_where_the_table_says() {
        let sbat = "sbat,1,SBAT Version,sbat,1,https://example.org\n";
        let image = EfiProgram {
            says: "hello",
            sbat: Some(sbat),
        }
        .image();
        let row = &image[PE + 24 + 240 + 40..][..40];
        let field = |at: usize| u32::from_le_bytes(row[at..at + 4].try_into().unwrap()) as usize;
        assert_eq!(&row[..8], b".sbat\0\0\0");
        assert_eq!(&image[field(20)..][..field(8)], sbat.as_bytes());
        assert_eq!(image.len() % FILE_ALIGNMENT, 0);
    }
}
