//! Rules of the format that the reader leaves to those who rely on them: one error for each.
//!
//! Source: "PE Format", "Optional Header Windows-Specific Fields" and "Section Table"; "Windows
//! Authenticode Portable Executable Signature Format". Not refused, because boot loaders break it
//! and firmware does not mind: addresses that are no multiple of `SectionAlignment` and address
//! ranges between sections that belong to none.

use std::ops::Range;

use crate::header::DOS_HEADER;
use crate::io::align_up;
use crate::{Image, ReadError, Section};

/// The stored sections, in the order of the file, follow `start` and one another without gap or
/// overlap; returns where the last one ends.
pub(crate) fn contiguous<'s>(
    in_file_order: impl IntoIterator<Item = &'s Section>,
    start: u64,
) -> Result<u64, ReadError> {
    let mut before = None;
    let mut end = start;
    for section in in_file_order {
        let range = section.raw_range();
        let (name, offset, expected) = (section.name, range.start, end);
        if offset < expected && before.is_none() {
            return Err(ReadError::SectionInHeaders { name, offset });
        }
        if offset < expected {
            return Err(ReadError::SectionOverlap {
                name,
                offset,
                expected,
            });
        }
        if offset > expected {
            return Err(ReadError::SectionGap {
                name,
                offset,
                expected,
            });
        }
        before = Some(section);
        end = range.end;
    }
    Ok(end)
}

/// The certificate table is an 8-aligned block behind everything else.
pub(crate) fn certificate_table(
    table: &Range<u64>,
    headers: u64,
    sections_end: u64,
    len: u64,
) -> Result<(), ReadError> {
    if table.start < headers {
        return Err(ReadError::CertificateTableInHeaders);
    }
    if table.start < sections_end {
        return Err(ReadError::CertificateTableInSection);
    }
    certificate_table_last(table, len)
}

/// Nothing stands behind the certificate table, and it is 8-aligned.
pub(crate) fn certificate_table_last(table: &Range<u64>, len: u64) -> Result<(), ReadError> {
    if !table.start.is_multiple_of(8) {
        return Err(ReadError::CertificateTableUnaligned(table.start));
    }
    match len.saturating_sub(table.end) {
        0 => Ok(()),
        behind => Err(ReadError::CertificateTableNotLast(behind)),
    }
}

/// Sections, in the order of the table, ascend in memory behind the headers without overlap.
pub(crate) fn ascending(sections: &[Section], size_of_headers: u32) -> Result<(), ReadError> {
    let mut before = 0..u64::from(size_of_headers);
    for (index, section) in sections.iter().enumerate() {
        let range = section.memory_range();
        if index > 0 && range.start < before.start {
            return Err(ReadError::SectionsUnordered(section.name));
        }
        if range.start < before.end {
            return Err(match index {
                0 => ReadError::SectionOnHeaders(section.name),
                _ => ReadError::SectionsOverlapInMemory(section.name),
            });
        }
        before = range;
    }
    Ok(())
}

/// What a writer relies on in an image that it changes; returns where the sections end in the file.
pub(crate) fn base(image: &Image) -> Result<u64, ReadError> {
    let fields = &image.fields;
    // The PE signature stands before the COFF header.
    let pe_offset = fields.coff_offset - 4;
    if pe_offset < DOS_HEADER as u64 {
        return Err(ReadError::PeHeaderInDosHeader(pe_offset));
    }
    alignments(image)?;
    if let Some(name) = fields.object_file_data {
        return Err(ReadError::ObjectFileData(name));
    }
    ascending(image.sections(), fields.size_of_headers)?;
    let unaligned = image
        .stored_sections()
        .into_iter()
        .find(|section| !section.raw_offset.is_multiple_of(fields.file_alignment));
    if let Some(section) = unaligned {
        return Err(ReadError::SectionUnaligned {
            name: section.name,
            offset: u64::from(section.raw_offset),
        });
    }
    let headers = u64::from(fields.size_of_headers);
    let headers = align_up(headers, u64::from(fields.file_alignment)).unwrap_or(u64::MAX);
    if headers > image.len() {
        return Err(ReadError::HeaderPaddingOutside(headers));
    }
    let end = contiguous(image.stored_sections(), headers)?;
    symbols(image, end)?;
    Ok(end)
}

fn alignments(image: &Image) -> Result<(), ReadError> {
    let (section, file) = (image.fields.section_alignment, image.fields.file_alignment);
    if !file.is_power_of_two() {
        return Err(ReadError::FileAlignment(file));
    }
    if !section.is_power_of_two() {
        return Err(ReadError::SectionAlignment(section));
    }
    if section < file {
        return Err(ReadError::AlignmentOrder { section, file });
    }
    Ok(())
}

/// A symbol table can be left out where it is the last thing in the file.
fn symbols(image: &Image, sections_end: u64) -> Result<(), ReadError> {
    let Some(symbols) = image.fields.symbols else {
        return Ok(());
    };
    if symbols.start < sections_end {
        return Err(ReadError::SymbolTableInSection);
    }
    if symbols.end > image.len() {
        return Err(ReadError::SymbolTableOutside);
    }
    match image.len() - symbols.end {
        0 => Ok(()),
        behind => Err(ReadError::SymbolTableNotLast(behind)),
    }
}
