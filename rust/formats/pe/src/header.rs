//! Headers, field by field, on top of goblin's types.

use std::fmt;
use std::io::{Read, Seek};

use goblin::pe::header::{self, CoffHeader};
use goblin::pe::optional_header::{MAGIC_32, MAGIC_64, OptionalHeader};
use goblin::pe::section_table::SIZEOF_SECTION_TABLE;
use scroll::{LE, Pread};

use crate::io::read_at;
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

/// Reads the headers of a file of `len` bytes; `source` may hold no more than them.
pub(crate) fn read<S: Read + Seek + ?Sized>(
    source: &mut S,
    len: u64,
) -> Result<Headers, ReadError> {
    let coff_offset = pe_offset(source, len)? + header::SIZEOF_PE_MAGIC as u64;
    let coff = read_at(
        source,
        coff_offset,
        header::SIZEOF_COFF_HEADER,
        "the COFF header",
    )?;
    let coff = CoffHeader::parse(&coff, &mut 0).map_err(malformed)?;

    let optional_offset = coff_offset + header::SIZEOF_COFF_HEADER as u64;
    let optional_size = usize::from(coff.size_of_optional_header);
    let optional = read_at(
        source,
        optional_offset,
        optional_size,
        "the optional header",
    )?;
    let section_table = optional_offset + optional_size as u64;
    let mut fields = fields(&coff, &optional, coff_offset, section_table)?;

    let size = usize::from(coff.number_of_sections) * SIZEOF_SECTION_TABLE;
    let table = read_at(source, section_table, size, "the section table")?;
    if u64::from(fields.size_of_headers) < section_table + size as u64 {
        let what = "SizeOfHeaders ends before the section table";
        return Err(ReadError::Malformed(what.into()));
    }
    fields.symbols_end = symbols_end(source, fields.symbols, len)?;
    Ok(Headers {
        machine: coff.machine,
        fields,
        sections: sections(&table)?,
    })
}

/// Where the symbol table ends: behind its symbols stands the string table, which begins with its
/// length.
fn symbols_end<S: Read + Seek + ?Sized>(
    source: &mut S,
    (start, count): (u32, u32),
    len: u64,
) -> Result<Option<u64>, ReadError> {
    let end = u64::from(start) + u64::from(count) * SIZEOF_SYMBOL;
    if start == 0 || end > len {
        return Ok(None);
    }
    if end + 4 > len {
        return Ok(Some(end));
    }
    let strings = read_at(source, end, 4, "the string table")?;
    let strings: u32 = strings.pread_with(0, LE).map_err(malformed)?;
    Ok(Some(end + u64::from(strings)))
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
