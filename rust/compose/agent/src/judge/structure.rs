//! How an image that is made of a stub and sections must be built: as touchstone and ukify build it, with no byte that nobody looks at.

use std::io::{Seek, SeekFrom};

use touchstone_pe::Section;

use super::compare;
use super::facts::{Facts, malformed};
use super::refuse::refuse;
use super::sbat::SBAT;
use super::stub;
use crate::protocol::Refusal;

/// `IMAGE_SCN_MEM_WRITE` and `IMAGE_SCN_MEM_EXECUTE`.
const WRITE_OR_EXECUTE: u32 = 0x8000_0000 | 0x2000_0000;
/// A row of the section table, and the name in it.
const ROW: usize = 40;
const NAME: usize = 8;
/// `PointerToRelocations` to `NumberOfLinenumbers` in a row.
const OBJECT_FILE_FIELDS: std::ops::Range<usize> = 24..36;
/// `PointerToSymbolTable` and `NumberOfSymbols`, from the COFF header's start.
const SYMBOLS: std::ops::Range<usize> = 8..16;
/// Zeros up to a multiple of this stand behind an image that is to be signed.
const PADDING: u64 = 8;

/// Sees that everybody sees the same sections.
///
/// # Errors
/// [`Refusal`].
pub(super) fn sections(facts: &Facts<'_>) -> Result<(), Refusal> {
    ascending(facts)?;
    headers(facts)?;
    let alignment = facts
        .image
        .header_facts(&mut facts.reader())
        .map_err(malformed)?
        .file_alignment;
    let (own, added) = facts.sections().split_at(stub::sections(facts));
    // What the stub's digest says nothing of.
    if let Some(sbat) = own.iter().find(|section| section.name.as_str() == SBAT) {
        inert(sbat)?;
    }
    added.iter().try_for_each(|section| {
        whole(section, alignment)?;
        inert(section)
    })
}

/// Sees that no byte of an image is one that no other check looks at. It reads to the image's end: whoever judges what is still coming in does
/// this last.
///
/// # Errors
/// [`Refusal`].
pub(super) fn padding(facts: &Facts<'_>) -> Result<(), Refusal> {
    for section in facts.sections() {
        padded(facts, section)?;
    }
    behind(facts)
}

/// Sections ascend in memory without overlap, in the order of the table.
fn ascending(facts: &Facts<'_>) -> Result<(), Refusal> {
    let mut end = facts.headers.len() as u64;
    for section in facts.sections() {
        let range = section.memory_range();
        if range.start < end {
            return Err(wrong(format!(
                "the section {} overlaps another one in memory, or stands before it: what is measured would not be what runs",
                section.name
            )));
        }
        end = range.end;
    }
    Ok(())
}

/// Nothing is hidden in the headers.
fn headers(facts: &Facts<'_>) -> Result<(), Refusal> {
    let parts = stub::Headers::of(facts).ok_or_else(|| wrong("its headers are cut off"))?;
    let bytes = &facts.headers;
    let symbols = bytes.get(parts.coff + SYMBOLS.start..parts.coff + SYMBOLS.end);
    let end = parts.table + facts.sections().len() * ROW;
    let rows = bytes
        .get(parts.table..end)
        .unwrap_or_default()
        .chunks_exact(ROW);
    let mut fields = rows.filter_map(|row| row.get(OBJECT_FILE_FIELDS));
    let slack = bytes.get(end..).unwrap_or_default();
    if !is_zero(symbols.unwrap_or_default()) {
        return Err(wrong("it has a symbol table, which no finished image has"));
    }
    if !fields.all(is_zero) {
        return Err(wrong(
            "its section table has relocations or line numbers, which object files have",
        ));
    }
    let mut names = facts
        .headers
        .get(parts.table..end)
        .unwrap_or_default()
        .chunks_exact(ROW);
    let ended = |row: &[u8]| {
        let name = row.get(..NAME).unwrap_or_default();
        let mut behind = name.iter().skip_while(|byte| **byte != 0);
        behind.all(|byte| *byte == 0)
    };
    if !names.all(ended) {
        return Err(wrong("the name of a section goes on behind its end"));
    }
    if !is_zero(slack) {
        return Err(wrong("there is something behind its section table"));
    }
    Ok(())
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// A section that was added to a stub has exactly the bytes of its content.
fn whole(section: &Section, alignment: u32) -> Result<(), Refusal> {
    let (name, virtual_size, raw_size) = (section.name, section.virtual_size, section.raw_size);
    if virtual_size == 0 || virtual_size > raw_size || raw_size - virtual_size >= alignment.max(1) {
        return Err(wrong(format!(
            "the section {name} has {virtual_size} bytes in memory and {raw_size} in the file: not the bytes of its content and their padding"
        )));
    }
    Ok(())
}

/// A section that is only read.
fn inert(section: &Section) -> Result<(), Refusal> {
    match section.characteristics & WRITE_OR_EXECUTE {
        0 => Ok(()),
        _ => Err(wrong(format!(
            "the section {} could be written or executed where it lies",
            section.name
        ))),
    }
}

/// Behind the content of a section there are zeros.
fn padded(facts: &Facts<'_>, section: &Section) -> Result<(), Refusal> {
    let stored = section.virtual_size.min(section.raw_size);
    let padding = u64::from(section.raw_offset) + u64::from(stored);
    zeros(facts, padding, u64::from(section.raw_size - stored), || {
        format!(
            "there is something behind the content of the section {}",
            section.name
        )
    })
}

/// Behind the sections there is nothing but padding and signatures.
fn behind(facts: &Facts<'_>) -> Result<(), Refusal> {
    let stored = facts
        .sections()
        .iter()
        .filter(|section| section.raw_size > 0);
    let sections = stored
        .map(|section| section.raw_range().end)
        .max()
        .unwrap_or_default();
    let end = facts
        .image
        .certificate_table()
        .map_or(facts.image.len(), |table| table.start);
    let rest = end.saturating_sub(sections);
    if rest >= PADDING {
        return Err(wrong(format!(
            "there are {rest} bytes behind its sections that belong to none"
        )));
    }
    zeros(facts, sections, rest, || {
        "there is something behind its sections".to_owned()
    })
}

/// Sees that there are zeros.
fn zeros(facts: &Facts<'_>, at: u64, len: u64, what: impl Fn() -> String) -> Result<(), Refusal> {
    let mut source = facts.reader();
    let zeros = source.seek(SeekFrom::Start(at));
    let zeros = zeros.and_then(|_| compare::is_followed_by_zeros(&mut source, len));
    match zeros.map_err(|error| malformed(error.into()))? {
        true => Ok(()),
        false => Err(wrong(what())),
    }
}

fn wrong(what: impl AsRef<str>) -> Refusal {
    let what = format!(
        "the image is not built as touchstone and ukify build one: {}",
        what.as_ref()
    );
    refuse(
        "image.structure",
        what,
        "assemble it with touchstone or ukify, and hand it in as it was made",
    )
}
