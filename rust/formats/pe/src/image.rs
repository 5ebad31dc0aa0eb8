//! The checked reader: headers and section table.

use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use goblin::pe::header::{self, CoffHeader};
use goblin::pe::optional_header::{MAGIC_32, MAGIC_64, OptionalHeader};
use goblin::pe::section_table::SIZEOF_SECTION_TABLE;
use scroll::{LE, Pread};

use crate::io::{read_at, stream};
use crate::{ReadError, SectionName};

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
            header::COFF_MACHINE_X86_64 => Self::X86_64,
            header::COFF_MACHINE_ARM64 => Self::Aarch64,
            header::COFF_MACHINE_X86 => Self::Ia32,
            header::COFF_MACHINE_RISCV64 => Self::Riscv64,
            header::COFF_MACHINE_LOONGARCH64 => Self::LoongArch64,
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
/// What is checked once, here: every header lies in the file, every section's bytes lie in the file,
/// a certificate table lies in the file. Whether sections overlap is checked where it matters
/// ([`crate::authenticode`], [`crate::layout`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub(crate) len: u64,
    pub(crate) machine: Machine,
    pub(crate) fields: Fields,
    pub(crate) sections: Vec<Section>,
}

/// The header fields that this crate uses, and where the ones lie that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    pub coff_offset: u64,
    pub optional_offset: u64,
    /// Where the certificate table's data directory entry lies, if the headers have one.
    pub certificate_entry: Option<u64>,
    pub certificate_table: Option<(u32, u32)>,
    pub section_table: u64,
    pub size_of_headers: u32,
    pub size_of_initialized_data: u32,
    pub section_alignment: u32,
    pub file_alignment: u32,
    pub dll_characteristics: u16,
    /// `PointerToSymbolTable` and `NumberOfSymbols`.
    pub symbols: (u32, u32),
    /// Where the COFF symbol and string tables end, if there are any.
    pub symbols_end: Option<u64>,
}

/// From the optional header's start, for PE32 and PE32+ alike.
pub(crate) const CHECKSUM: u64 = 64;
/// Which data directory names the certificate table.
const CERTIFICATE_DIRECTORY: u32 = 4;
/// Where the data directories begin, from the optional header's start: PE32, PE32+.
const DIRECTORIES: (u64, u64) = (96, 112);
const DOS_HEADER: usize = 64;
const SIZEOF_SYMBOL: u64 = 18;

impl Image {
    /// Reads the headers of `source`. Total: any bytes give an image or an error, in memory bounded by
    /// the section table (65535 rows).
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
        let pe_offset = pe_offset(source, len)?;
        let coff_offset = pe_offset + header::SIZEOF_PE_MAGIC as u64;
        let coff = read_at(
            source,
            coff_offset,
            header::SIZEOF_COFF_HEADER,
            "the COFF header",
        )?;
        let coff = CoffHeader::parse(&coff, &mut 0).map_err(malformed)?;

        let optional_offset = coff_offset + header::SIZEOF_COFF_HEADER as u64;
        let optional_size = usize::from(coff.size_of_optional_header);
        let bytes = read_at(
            source,
            optional_offset,
            optional_size,
            "the optional header",
        )?;
        let section_table = optional_offset + optional_size as u64;
        let fields = fields(&coff, &bytes, coff_offset, section_table)?;

        let count = usize::from(coff.number_of_sections);
        let table = read_at(
            source,
            section_table,
            count * SIZEOF_SECTION_TABLE,
            "the section table",
        )?;
        let sections = sections(&table)?;
        let table_end = section_table + table.len() as u64;
        if u64::from(fields.size_of_headers) < table_end {
            return Err(ReadError::Malformed(
                "SizeOfHeaders ends before the section table".into(),
            ));
        }
        let mut image = Self {
            len,
            machine: coff.machine.into(),
            fields,
            sections,
        };
        image.check_bounds()?;
        image.fields.symbols_end = image.find_symbols_end(source)?;
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

    /// Where the certificate table lies in the file, if the image has one: it is signed.
    pub fn certificate_table(&self) -> Option<Range<u64>> {
        let (start, size) = self.fields.certificate_table?;
        Some(u64::from(start)..u64::from(start) + u64::from(size))
    }

    /// A section as it lies in memory: exactly `VirtualSize` bytes, those that the file does not store
    /// being zero. Refuses sections of more than `limit` bytes.
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

    /// Checks that the stored sections follow `start` and one another without gap or overlap;
    /// returns where the last one ends.
    pub(crate) fn contiguous_from(&self, start: u64) -> Result<u64, ReadError> {
        self.stored_sections()
            .into_iter()
            .try_fold(start, |end, section| {
                let range = section.raw_range();
                if range.start == end {
                    return Ok(range.end);
                }
                Err(ReadError::NotContiguous {
                    at: section.name,
                    offset: range.start,
                })
            })
    }

    fn check_bounds(&self) -> Result<(), ReadError> {
        if u64::from(self.fields.size_of_headers) > self.len {
            return Err(ReadError::Truncated("the header block"));
        }
        for section in self.sections.iter().filter(|section| section.raw_size > 0) {
            let end = section.raw_range().end;
            if end > self.len {
                return Err(ReadError::SectionOutside {
                    name: section.name,
                    end,
                    len: self.len,
                });
            }
        }
        match self.certificate_table() {
            Some(table) if table.end > self.len => {
                Err(ReadError::Truncated("the certificate table"))
            }
            _ => Ok(()),
        }
    }

    /// The symbol table's end: behind its symbols stands the string table, which begins with its length.
    fn find_symbols_end<S: Read + Seek + ?Sized>(
        &self,
        source: &mut S,
    ) -> Result<Option<u64>, ReadError> {
        let (start, count) = self.fields.symbols;
        let end = u64::from(start) + u64::from(count) * SIZEOF_SYMBOL;
        if start == 0 || end > self.len {
            return Ok(None);
        }
        if end + 4 > self.len {
            return Ok(Some(end));
        }
        // A source that holds the headers only has no symbols either.
        let Ok(strings) = read_at(source, end, 4, "the string table") else {
            return Ok(None);
        };
        let strings: u32 = strings.pread_with(0, LE).map_err(malformed)?;
        Ok(Some(end + u64::from(strings)))
    }
}

fn malformed(error: impl fmt::Display) -> ReadError {
    ReadError::Malformed(error.to_string())
}

fn pe_offset<S: Read + Seek + ?Sized>(source: &mut S, len: u64) -> Result<u64, ReadError> {
    if len < DOS_HEADER as u64 {
        return Err(ReadError::NotPe("the file is shorter than a DOS header"));
    }
    let dos = read_at(source, 0, DOS_HEADER, "the DOS header")?;
    if dos.pread_with::<u16>(0, LE).map_err(malformed)? != header::DOS_MAGIC {
        return Err(ReadError::NotPe("it does not begin with \"MZ\""));
    }
    let offset: u32 = dos
        .pread_with(header::PE_POINTER_OFFSET as usize, LE)
        .map_err(malformed)?;
    if u64::from(offset) + 4 > len {
        return Err(ReadError::NotPe(
            "its DOS header points outside of the file",
        ));
    }
    let magic = read_at(
        source,
        u64::from(offset),
        header::SIZEOF_PE_MAGIC,
        "the PE signature",
    )?;
    if magic.pread_with::<u32>(0, LE).map_err(malformed)? != header::PE_MAGIC {
        return Err(ReadError::NotPe(
            "no \"PE\" signature where its DOS header points",
        ));
    }
    Ok(u64::from(offset))
}

fn fields(
    coff: &CoffHeader,
    bytes: &[u8],
    coff_offset: u64,
    section_table: u64,
) -> Result<Fields, ReadError> {
    let magic: u16 = bytes
        .pread_with(0, LE)
        .map_err(|_| ReadError::Truncated("the optional header"))?;
    let directories = match magic {
        MAGIC_32 => DIRECTORIES.0,
        MAGIC_64 => DIRECTORIES.1,
        other => {
            return Err(ReadError::Malformed(format!(
                "unknown optional header {other:#06x}"
            )));
        }
    };
    let optional: OptionalHeader = bytes.pread_with(0, LE).map_err(malformed)?;
    let windows = optional.windows_fields;
    let optional_offset = coff_offset + header::SIZEOF_COFF_HEADER as u64;
    let has_entry = windows.number_of_rva_and_sizes > CERTIFICATE_DIRECTORY;
    let entry = optional_offset + directories + 8 * u64::from(CERTIFICATE_DIRECTORY);
    let table = optional.data_directories.get_certificate_table();
    let initialized = optional.standard_fields.size_of_initialized_data;
    Ok(Fields {
        coff_offset,
        optional_offset,
        certificate_entry: has_entry.then_some(entry),
        certificate_table: table
            .filter(|table| table.size > 0)
            .map(|table| (table.virtual_address, table.size)),
        section_table,
        size_of_headers: windows.size_of_headers,
        size_of_initialized_data: u32::try_from(initialized).map_err(malformed)?,
        section_alignment: windows.section_alignment,
        file_alignment: windows.file_alignment,
        dll_characteristics: windows.dll_characteristics,
        symbols: (coff.pointer_to_symbol_table, coff.number_of_symbol_table),
        symbols_end: None,
    })
}

fn sections(table: &[u8]) -> Result<Vec<Section>, ReadError> {
    table
        .chunks_exact(SIZEOF_SECTION_TABLE)
        .enumerate()
        .map(|(index, row)| section(index, row))
        .collect()
}

fn section(index: usize, row: &[u8]) -> Result<Section, ReadError> {
    let field = |offset: usize| row.pread_with::<u32>(offset, LE).map_err(malformed);
    let name: [u8; 8] = row
        .pread_with::<u64>(0, LE)
        .map_err(malformed)?
        .to_le_bytes();
    let name = SectionName::from_table(name)
        .ok_or_else(|| ReadError::Malformed(format!("the name of section {index} is no UTF-8")))?;
    Ok(Section {
        name,
        virtual_size: field(8)?,
        virtual_address: field(12)?,
        raw_size: field(16)?,
        raw_offset: field(20)?,
        characteristics: field(36)?,
    })
}
