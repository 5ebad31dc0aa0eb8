//! The checked reader: headers and section table.

use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use goblin::pe::header as numbers;

use crate::header::{self, CERTIFICATE_DIRECTORY, Fields};
use crate::io::stream;
use crate::{ReadError, SectionName};

/// What a 32-bit address reaches.
pub(crate) const ADDRESS_SPACE: u64 = 1 << 32;

/// The processor architecture that an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Machine {
    /// `IMAGE_FILE_MACHINE_AMD64`
    X86_64,
    /// `IMAGE_FILE_MACHINE_ARM64`
    Aarch64,
    /// `IMAGE_FILE_MACHINE_I386`
    Ia32,
    /// `IMAGE_FILE_MACHINE_RISCV64`
    Riscv64,
    /// `IMAGE_FILE_MACHINE_LOONGARCH64`
    LoongArch64,
    /// Any other number of the COFF header.
    Other(u16),
}

impl From<u16> for Machine {
    fn from(number: u16) -> Self {
        match number {
            numbers::COFF_MACHINE_X86_64 => Self::X86_64,
            numbers::COFF_MACHINE_ARM64 => Self::Aarch64,
            numbers::COFF_MACHINE_X86 => Self::Ia32,
            numbers::COFF_MACHINE_RISCV64 => Self::Riscv64,
            numbers::COFF_MACHINE_LOONGARCH64 => Self::LoongArch64,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X86_64 => formatter.write_str("x86-64"),
            Self::Aarch64 => formatter.write_str("aarch64"),
            Self::Ia32 => formatter.write_str("ia32"),
            Self::Riscv64 => formatter.write_str("riscv64"),
            Self::LoongArch64 => formatter.write_str("loongarch64"),
            Self::Other(number) => write!(formatter, "machine type {number:#06x}"),
        }
    }
}

/// One row of the section table. Sizes and offsets are in bytes; fields are named after
/// `IMAGE_SECTION_HEADER` ("PE Format", section table).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `Name`
    pub name: SectionName,
    /// `VirtualSize`: how many bytes the section has in memory.
    pub virtual_size: u32,
    /// `VirtualAddress`, relative to where the image is loaded.
    pub virtual_address: u32,
    /// `SizeOfRawData`: how many bytes the section has in the file, padding included.
    pub raw_size: u32,
    /// `PointerToRawData`, from the start of the file.
    pub raw_offset: u32,
    /// `Characteristics`
    pub characteristics: u32,
}

impl Section {
    /// Where the section lies in the file.
    pub fn raw_range(&self) -> Range<u64> {
        let start = u64::from(self.raw_offset);
        start..start + u64::from(self.raw_size)
    }

    /// Where the section lies in memory.
    pub fn memory_range(&self) -> Range<u64> {
        let start = u64::from(self.virtual_address);
        start..start + u64::from(self.virtual_size)
    }

    /// How many bytes of the section come from the file: the rest of `VirtualSize` is zeros.
    pub(crate) fn stored(&self) -> u64 {
        u64::from(self.virtual_size.min(self.raw_size))
    }

    pub(crate) fn zero_fill(&self) -> u64 {
        u64::from(self.virtual_size) - self.stored()
    }
}

/// A PE image's headers and section table; never the data of a section.
///
/// What is checked once, here: every header, every section's bytes and a certificate table lie in
/// the file, and sections lie in 4 GiB of memory. Whether sections overlap is checked where it
/// matters ([`crate::authenticode`], [`crate::layout`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub(crate) len: u64,
    pub(crate) machine: Machine,
    pub(crate) fields: Fields,
    pub(crate) sections: Vec<Section>,
}

impl Image {
    /// Reads the headers of `source`. Total: any bytes give an image or an error, in memory bounded
    /// by the section table (65535 rows).
    pub fn read<S: Read + Seek + ?Sized>(source: &mut S) -> Result<Self, ReadError> {
        let len = source.seek(SeekFrom::End(0))?;
        Self::read_headers(source, len)
    }

    /// As [`Image::read`], for a source that may hold the headers only of a file of `len` bytes.
    pub(crate) fn read_headers<S: Read + Seek + ?Sized>(
        source: &mut S,
        len: u64,
    ) -> Result<Self, ReadError> {
        if len > u64::from(u32::MAX) {
            return Err(ReadError::TooLarge(len));
        }
        let headers = header::read(source, len)?;
        let image = Self {
            len,
            machine: headers.machine.into(),
            fields: headers.fields,
            sections: headers.sections,
        };
        image.check_bounds()?;
        Ok(image)
    }

    /// The architecture that the image is for.
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The section table, in its order.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The first section of this name.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|section| section.name.as_str() == name)
    }

    /// The length of the file in bytes.
    #[allow(clippy::len_without_is_empty)] // an image is never empty
    pub fn len(&self) -> u64 {
        self.len
    }

    /// `DllCharacteristics`; 0x100 is `NX_COMPAT`.
    pub fn dll_characteristics(&self) -> u16 {
        self.fields.dll_characteristics
    }

    /// `CheckSum` as the headers have it; see [`crate::checksum::compute`].
    pub fn checksum(&self) -> u32 {
        self.fields.checksum
    }

    /// Where the certificate table lies in the file, if the image has one: it is signed.
    pub fn certificate_table(&self) -> Option<Range<u64>> {
        let (start, size) = self.fields.directory(CERTIFICATE_DIRECTORY)?;
        Some(u64::from(start)..u64::from(start) + u64::from(size))
    }

    /// A section as it lies in memory: exactly `VirtualSize` bytes, those that the file does not
    /// store being zero. Refuses sections of more than `limit` bytes.
    pub fn section_bytes<S: Read + Seek + ?Sized>(
        &self,
        source: &mut S,
        section: &Section,
        limit: u64,
    ) -> Result<Vec<u8>, ReadError> {
        let size = u64::from(section.virtual_size);
        if size > limit {
            return Err(ReadError::SectionTooLarge {
                name: section.name,
                size,
                limit,
            });
        }
        let mut bytes = Vec::new();
        stream(
            source,
            u64::from(section.raw_offset),
            section.stored(),
            "a section",
            |chunk| {
                bytes.extend_from_slice(chunk);
            },
        )?;
        bytes.resize(section.virtual_size as usize, 0);
        Ok(bytes)
    }

    /// The sections that have bytes in the file, by their place in the file.
    pub(crate) fn stored_sections(&self) -> Vec<&Section> {
        let mut stored: Vec<_> = self
            .sections
            .iter()
            .filter(|section| section.raw_size > 0)
            .collect();
        stored.sort_by_key(|section| section.raw_offset);
        stored
    }

    /// What every user relies on: all bytes lie in the file, all sections in memory.
    fn check_bounds(&self) -> Result<(), ReadError> {
        if u64::from(self.fields.size_of_headers) > self.len {
            return Err(ReadError::HeadersOutside(self.fields.size_of_headers));
        }
        for section in &self.sections {
            let end = section.raw_range().end;
            if section.raw_size > 0 && end > self.len {
                return Err(ReadError::SectionOutside {
                    name: section.name,
                    end,
                    len: self.len,
                });
            }
            if section.memory_range().end > ADDRESS_SPACE {
                return Err(ReadError::SectionBeyondMemory(section.name));
            }
        }
        match self.certificate_table() {
            Some(table) if table.end > self.len => Err(ReadError::CertificateTableOutside {
                end: table.end,
                len: self.len,
            }),
            _ => Ok(()),
        }
    }
}
