//! A small maker of PE images.

use std::io::Cursor;

use touchstone_pe::{Image, Section, SectionObserver};

pub const X86_64: u16 = 0x8664;
pub const AARCH64: u16 = 0xaa64;
pub const NX_COMPAT: u16 = 0x100;

/// Where the headers of built images lie.
pub const PE: usize = 0x40;
pub const OPTIONAL: usize = PE + 24;
pub const CHECKSUM: usize = OPTIONAL + 64;

#[derive(Clone)]
pub struct Builder {
    pub machine: u16,
    pub pe32: bool,
    pub size_of_headers: u32,
    pub dll_characteristics: u16,
    pub sections: Vec<(String, Vec<u8>)>,
    pub trailing: Vec<u8>,
}

impl Builder {
    pub fn new() -> Self {
        Self {
            machine: X86_64,
            pe32: false,
            size_of_headers: 0x800,
            dll_characteristics: NX_COMPAT,
            sections: Vec::new(),
            trailing: Vec::new(),
        }
    }

    /// A systemd stub, as far as this crate looks at it.
    pub fn stub() -> Self {
        let sbat =
            "sbat,1,SBAT Version,sbat,1,https://example.org\nsystemd-stub,1,S,systemd,257,u\n";
        let mut sbat = sbat.as_bytes().to_vec();
        sbat.resize(0x400, 0);
        Self::new()
            .section(".text", b"code")
            .section(".sbat", &sbat)
            .section(
                ".sdmagic",
                b"#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####",
            )
            .section(".reloc", b"relocations")
    }

    pub fn addon_stub() -> Self {
        Self::new()
            .section(".text", b"code")
            .section(".sdmagic", b"#### LoaderInfo: systemd-addon 262.1-1 ####")
    }

    pub fn kernel() -> Self {
        Self::new().section(".text", &[0x90; 3000])
    }

    pub fn section(mut self, name: &str, data: &[u8]) -> Self {
        self.sections.push((name.to_owned(), data.to_vec()));
        self
    }

    pub fn machine(mut self, machine: u16) -> Self {
        self.machine = machine;
        self
    }

    fn directories(&self) -> usize {
        OPTIONAL + if self.pe32 { 96 } else { 112 }
    }

    /// Where the certificate table's directory entry lies.
    pub fn certificate_entry(&self) -> usize {
        self.directories() + 4 * 8
    }

    pub fn section_table(&self) -> usize {
        self.directories() + 16 * 8
    }

    pub fn build(&self) -> Vec<u8> {
        let mut file = vec![0; self.size_of_headers as usize];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"MZ");
        put(0x3c, &(PE as u32).to_le_bytes());
        put(PE, b"PE\0\0");
        put(PE + 4, &self.machine.to_le_bytes());
        put(PE + 6, &(self.sections.len() as u16).to_le_bytes());
        put(
            PE + 20,
            &((self.section_table() - OPTIONAL) as u16).to_le_bytes(),
        );
        // An executable image without symbols and debug data: what pesign wants to see.
        put(PE + 22, &0x22e_u16.to_le_bytes());
        let magic: u16 = if self.pe32 { 0x10b } else { 0x20b };
        put(OPTIONAL, &magic.to_le_bytes());
        put(OPTIONAL + 8, &1000_u32.to_le_bytes());
        put(OPTIONAL + 32, &0x1000_u32.to_le_bytes());
        put(OPTIONAL + 36, &0x200_u32.to_le_bytes());
        put(OPTIONAL + 60, &self.size_of_headers.to_le_bytes());
        put(CHECKSUM, &0xdead_beef_u32.to_le_bytes());
        put(OPTIONAL + 68, &10_u16.to_le_bytes());
        put(OPTIONAL + 70, &self.dll_characteristics.to_le_bytes());
        put(self.directories() - 4, &16_u32.to_le_bytes());

        let (mut address, mut offset) = (0x1000, self.size_of_headers.next_multiple_of(0x200));
        for (index, (name, data)) in self.sections.iter().enumerate() {
            let size = data.len() as u32;
            let row = self.section_table() + index * 40;
            put(row, name.as_bytes());
            let raw_size = size.next_multiple_of(0x200);
            for (field, value) in [size, address, raw_size, offset].into_iter().enumerate() {
                put(row + 8 + 4 * field, &value.to_le_bytes());
            }
            put(row + 36, &0x4000_0040_u32.to_le_bytes());
            address = (address + size).next_multiple_of(0x1000);
            offset += raw_size;
        }
        put(OPTIONAL + 56, &address.to_le_bytes());
        for (_, data) in &self.sections {
            file.resize(file.len().next_multiple_of(0x200), 0);
            file.extend(data);
        }
        file.resize(file.len().next_multiple_of(0x200), 0);
        file.extend(&self.trailing);
        file
    }

    pub fn image(&self) -> Image {
        read(&self.build())
    }
}

pub fn read(file: &[u8]) -> Image {
    Image::read(&mut Cursor::new(file)).unwrap()
}

/// A section as an observer saw it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen(pub Vec<(String, Vec<u8>, bool)>);

impl Seen {
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(seen, ..)| seen == name)
            .map(|(_, bytes, _)| bytes.as_slice())
    }

    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, ..)| name.as_str()).collect()
    }
}

impl SectionObserver for Seen {
    fn begin(&mut self, section: &Section) {
        assert!(
            self.0.last().is_none_or(|(.., ended)| *ended),
            "the section before has not ended"
        );
        self.0.push((section.name.to_string(), Vec::new(), false));
    }

    fn data(&mut self, bytes: &[u8]) {
        let (_, seen, ended) = self.0.last_mut().unwrap();
        assert!(!*ended);
        seen.extend(bytes);
    }

    fn end(&mut self) {
        self.0.last_mut().unwrap().2 = true;
    }
}
