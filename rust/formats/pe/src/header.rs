//! Headers, field by field, on top of goblin's types: every place is checked before it is read.

use std::io::{Read, Seek};

use goblin::pe::header::{self, CoffHeader};
use goblin::pe::optional_header::{MAGIC_32, MAGIC_64, OptionalHeader};
use goblin::pe::section_table::SIZEOF_SECTION_TABLE;
use scroll::{LE, Pread};

use crate::error::NotPe;
use crate::io::read_at;
use crate::symbols::{self, Symbols};
use crate::{ReadError, Section, SectionName};

/// All that is read of an image.
pub(crate) struct Headers {
    pub machine: u16,
    pub fields: Fields,
    pub sections: Vec<Section>,
}

/// The header fields that this crate uses, and where the ones lie that it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    pub coff_offset: u64,
    pub optional_offset: u64,
    /// Where the certificate table's data directory entry lies, if the headers have one.
    pub certificate_entry: Option<u64>,
    /// Address and size of each data directory, at most 16.
    pub directories: Vec<(u32, u32)>,
    pub section_table: u64,
    pub size_of_headers: u32,
    pub size_of_code: u32,
    pub size_of_initialized_data: u32,
    pub size_of_uninitialized_data: u32,
    pub entry_point: u32,
    pub section_alignment: u32,
    pub file_alignment: u32,
    pub checksum: u32,
    pub dll_characteristics: u16,
    pub symbols: Option<Symbols>,
    /// The first section with relocations or line numbers of its own.
    pub object_file_data: Option<SectionName>,
}

impl Fields {
    /// A data directory that is in use.
    pub fn directory(&self, index: usize) -> Option<(u32, u32)> {
        self.directories
            .get(index)
            .copied()
            .filter(|(_, size)| *size > 0)
    }
}

/// From the optional header's start, for PE32 and PE32+ alike.
pub(crate) const CHECKSUM: u64 = 64;
/// Which data directory names the certificate table: the only one that holds a place in the file.
pub(crate) const CERTIFICATE_DIRECTORY: usize = 4;
/// Which data directory names debug data, which hold places in the file.
pub(crate) const DEBUG_DIRECTORY: usize = 6;
pub(crate) const DOS_HEADER: usize = 64;
/// Where the data directories begin, from the optional header's start: PE32, PE32+.
const DIRECTORIES: (usize, usize) = (96, 112);
const MAX_DIRECTORIES: u32 = 16;
/// Of a row of the section table: `PointerToRelocations` to `NumberOfLinenumbers`.
const OBJECT_FILE_FIELDS: std::ops::Range<usize> = 24..36;

/// Reads the headers of a file of `len` bytes; `source` may hold no more than them.
pub(crate) fn read<S: Read + Seek + ?Sized>(
    source: &mut S,
    len: u64,
) -> Result<Headers, ReadError> {
    let coff_offset = pe_offset(source, len)? + header::SIZEOF_PE_MAGIC as u64;
    let optional_offset = coff_offset + header::SIZEOF_COFF_HEADER as u64;
    if optional_offset > len {
        return Err(ReadError::CoffHeaderOutside);
    }
    let what = "the COFF header";
    let coff = read_at(source, coff_offset, header::SIZEOF_COFF_HEADER, what)?;
    let coff = CoffHeader::parse(&coff, &mut 0).map_err(|_| ReadError::Truncated(what))?;

    let optional_size = usize::from(coff.size_of_optional_header);
    let section_table = optional_offset + optional_size as u64;
    if section_table > len {
        return Err(ReadError::OptionalHeaderOutside);
    }
    let what = "the optional header";
    let optional = read_at(source, optional_offset, optional_size, what)?;
    let mut fields = fields(&optional, coff_offset, section_table)?;

    let size = usize::from(coff.number_of_sections) * SIZEOF_SECTION_TABLE;
    let end = section_table + size as u64;
    if end > len {
        return Err(ReadError::SectionTableOutside(coff.number_of_sections));
    }
    if u64::from(fields.size_of_headers) < end {
        let size = fields.size_of_headers;
        return Err(ReadError::HeadersTooSmall { size, end });
    }
    let table = read_at(source, section_table, size, "the section table")?;
    let (start, count) = (coff.pointer_to_symbol_table, coff.number_of_symbol_table);
    fields.symbols = symbols::place(source, start, count, len)?;
    let sections = sections(&table)?;
    fields.object_file_data = object_file_data(&table, &sections);
    Ok(Headers {
        machine: coff.machine,
        fields,
        sections,
    })
}

fn pe_offset<S: Read + Seek + ?Sized>(source: &mut S, len: u64) -> Result<u64, ReadError> {
    if len < DOS_HEADER as u64 {
        return Err(ReadError::NotPe(NotPe::TooShort));
    }
    let what = "the DOS header";
    let cut = |_| ReadError::Truncated(what);
    let dos = read_at(source, 0, DOS_HEADER, what)?;
    if dos.pread_with::<u16>(0, LE).map_err(cut)? != header::DOS_MAGIC {
        return Err(ReadError::NotPe(NotPe::NoDosHeader));
    }
    let place = header::PE_POINTER_OFFSET as usize;
    let offset = u64::from(dos.pread_with::<u32>(place, LE).map_err(cut)?);
    if offset + header::SIZEOF_PE_MAGIC as u64 > len {
        return Err(ReadError::NotPe(NotPe::PointerOutside));
    }
    let magic = read_at(source, offset, header::SIZEOF_PE_MAGIC, "the PE signature")?;
    if magic.pread_with::<u32>(0, LE).map_err(cut)? != header::PE_MAGIC {
        return Err(ReadError::NotPe(NotPe::NoSignature));
    }
    Ok(offset)
}

fn fields(bytes: &[u8], coff_offset: u64, section_table: u64) -> Result<Fields, ReadError> {
    let start = directories_start(bytes)?;
    let cut = |_| ReadError::OptionalHeaderTooSmall(bytes.len());
    let count: u32 = bytes.pread_with(start - 4, LE).map_err(cut)?;
    if count > MAX_DIRECTORIES {
        return Err(ReadError::TooManyDirectories(count));
    }
    let directories = bytes
        .get(start..start + 8 * count as usize)
        .ok_or(ReadError::DirectoriesOutside(count))?
        .chunks_exact(8)
        .map(|entry| Ok((entry.pread_with(0, LE)?, entry.pread_with(4, LE)?)))
        .collect::<Result<Vec<(u32, u32)>, scroll::Error>>()
        .map_err(|_| ReadError::DirectoriesOutside(count))?;
    let optional: OptionalHeader = bytes
        .pread_with(0, LE)
        .map_err(|_| ReadError::OptionalHeaderTooSmall(bytes.len()))?;
    let windows = optional.windows_fields;
    let optional_offset = coff_offset + header::SIZEOF_COFF_HEADER as u64;
    let entry = optional_offset + (start + 8 * CERTIFICATE_DIRECTORY) as u64;
    // The three sizes are 32-bit fields, which goblin widens.
    let size = |at: usize| bytes.pread_with::<u32>(at, LE).map_err(cut);
    Ok(Fields {
        coff_offset,
        optional_offset,
        certificate_entry: (directories.len() > CERTIFICATE_DIRECTORY).then_some(entry),
        directories,
        section_table,
        size_of_headers: windows.size_of_headers,
        size_of_code: size(4)?,
        size_of_initialized_data: size(8)?,
        size_of_uninitialized_data: size(12)?,
        entry_point: optional.standard_fields.address_of_entry_point,
        section_alignment: windows.section_alignment,
        file_alignment: windows.file_alignment,
        checksum: windows.check_sum,
        dll_characteristics: windows.dll_characteristics,
        symbols: None,
        object_file_data: None,
    })
}

/// Where the data directories begin, by the kind of the optional header, which has all fields
/// before them.
fn directories_start(optional: &[u8]) -> Result<usize, ReadError> {
    let too_small = ReadError::OptionalHeaderTooSmall(optional.len());
    let start = match optional.pread_with(0, LE) {
        Ok(MAGIC_32) => DIRECTORIES.0,
        Ok(MAGIC_64) => DIRECTORIES.1,
        Ok(other) => return Err(ReadError::OptionalHeaderKind(other)),
        Err(_) => return Err(too_small),
    };
    if optional.len() < start {
        return Err(too_small);
    }
    Ok(start)
}

fn sections(table: &[u8]) -> Result<Vec<Section>, ReadError> {
    table
        .chunks_exact(SIZEOF_SECTION_TABLE)
        .enumerate()
        .map(|(index, row)| section(index, row))
        .collect()
}

fn section(index: usize, row: &[u8]) -> Result<Section, ReadError> {
    let cut = |_| ReadError::Truncated("the section table");
    let field = |offset: usize| row.pread_with::<u32>(offset, LE).map_err(cut);
    let name = row.pread_with::<u64>(0, LE).map_err(cut)?.to_le_bytes();
    let name = SectionName::from_table(name).ok_or(ReadError::SectionNameNotText(index))?;
    Ok(Section {
        name,
        virtual_size: field(8)?,
        virtual_address: field(12)?,
        raw_size: field(16)?,
        raw_offset: field(20)?,
        characteristics: field(36)?,
    })
}

fn object_file_data(table: &[u8], sections: &[Section]) -> Option<SectionName> {
    let rows = table.chunks_exact(SIZEOF_SECTION_TABLE);
    let mut rows = rows.map(|row| row.get(OBJECT_FILE_FIELDS).unwrap_or_default());
    let row = rows.position(|fields| fields.iter().any(|byte| *byte != 0))?;
    sections.get(row).map(|section| section.name)
}
