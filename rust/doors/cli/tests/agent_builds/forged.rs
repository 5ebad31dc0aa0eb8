//! What a hostile build brings along: images that look as if they might be signed.

/// An image whose parts are changed byte by byte.
#[derive(Clone)]
pub struct Forged(Vec<u8>);

/// Offsets in a section header.
const VIRTUAL_SIZE: usize = 8;
const ADDRESS: usize = 12;
const RAW_SIZE: usize = 16;
const RAW_OFFSET: usize = 20;

impl Forged {
    pub fn of(image: &[u8]) -> Forged {
        Forged(image.to_vec())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The kernel is another one: one bit of it.
    pub fn other_kernel(mut self) -> Forged {
        let kernel = self.field(self.section(".linux"), RAW_OFFSET);
        self.0[kernel + 4096] ^= 1;
        self
    }

    /// The command line lies where the kernel lies: whoever hashes by sections sees other bytes than whoever loads them.
    pub fn overlapping_in_the_file(mut self) -> Forged {
        let kernel = self.field(self.section(".linux"), RAW_OFFSET);
        self.set(self.section(".cmdline"), RAW_OFFSET, kernel);
        self
    }

    /// The command line is loaded to where the kernel is loaded.
    pub fn overlapping_in_memory(mut self) -> Forged {
        let kernel = self.field(self.section(".linux"), ADDRESS);
        self.set(self.section(".cmdline"), ADDRESS, kernel);
        self
    }

    /// There are two command lines.
    pub fn second_command_line(mut self) -> Forged {
        let section = self.section(".osrel");
        self.0[section..section + 8].copy_from_slice(b".cmdline");
        self
    }

    /// More of the command line is loaded than what stands in the section.
    pub fn longer_in_memory(mut self) -> Forged {
        let section = self.section(".cmdline");
        let size = self.field(section, RAW_SIZE) + 4096;
        self.set(section, VIRTUAL_SIZE, size);
        self
    }

    /// Something lies behind the last section.
    pub fn with_a_tail(mut self) -> Forged {
        self.0.extend([0x90; 512]);
        self
    }

    /// Where the table of signatures begins, in a PE32+ image that has one.
    pub fn certificate_table(&self) -> usize {
        let optional = self.field(0x3c, 0) + 24;
        self.field(optional + 112 + 8 * 4, 0)
    }

    /// Where a section's header stands.
    fn section(&self, name: &str) -> usize {
        let pe = self.field(0x3c, 0);
        let word = |at: usize| usize::from(u16::from_le_bytes([self.0[at], self.0[at + 1]]));
        let (count, first) = (word(pe + 6), pe + 24 + word(pe + 20));
        let mut headers = (0..count).map(|number| first + 40 * number);
        let is_named = |header: &usize| {
            self.0[*header..header + 8].split(|byte| *byte == 0).next() == Some(name.as_bytes())
        };
        headers
            .find(is_named)
            .unwrap_or_else(|| panic!("no {name}"))
    }

    fn field(&self, at: usize, offset: usize) -> usize {
        let bytes = self.0[at + offset..at + offset + 4].try_into().unwrap();
        u32::from_le_bytes(bytes).try_into().unwrap()
    }

    fn set(&mut self, at: usize, offset: usize, value: usize) {
        let value = u32::try_from(value).unwrap().to_le_bytes();
        self.0[at + offset..at + offset + 4].copy_from_slice(&value);
    }
}
