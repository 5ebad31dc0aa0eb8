//! COFF symbol and string tables: leftovers of linking, but section names longer than 8 bytes live
//! in the latter.
//!
//! Source: "PE Format", "COFF Symbol Table", "COFF String Table", "Section Table".

use std::io::{Read, Seek};

use scroll::{LE, Pread};

use crate::io::read_at;
use crate::{Image, ReadError, Section};

/// Where the tables lie; either may lie outside of the file, which matters to writers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbols {
    /// Where the symbol table begins.
    pub start: u64,
    /// Where the string table begins: behind the symbols.
    pub strings: u64,
    /// Where the string table ends; where it begins, if there is none.
    pub end: u64,
}

const SIZEOF_SYMBOL: u64 = 18;
/// A string table begins with its length, which counts itself.
const SIZEOF_LENGTH: u64 = 4;
/// Longer than any name of a section.
const MAX_NAME: u64 = 256;

/// Finds the tables by the COFF header's fields; `None` if there are none.
pub(crate) fn place<S: Read + Seek + ?Sized>(
    source: &mut S,
    start: u32,
    count: u32,
    len: u64,
) -> Result<Option<Symbols>, ReadError> {
    if start == 0 {
        return Ok(None);
    }
    let start = u64::from(start);
    let strings = start + u64::from(count) * SIZEOF_SYMBOL;
    let mut end = strings;
    if strings + SIZEOF_LENGTH <= len {
        let bytes = read_at(source, strings, 4, "the string table")?;
        let size: u32 = bytes
            .pread_with(0, LE)
            .map_err(|_| ReadError::Truncated("the string table"))?;
        end += u64::from(size);
    }
    Ok(Some(Symbols {
        start,
        strings,
        end,
    }))
}

impl Image {
    /// The name of a section in full: a name of more than eight bytes stands in the string table,
    /// its place in the section table as `/123` (shim's `.vendor_cert`).
    pub fn full_name<S: Read + Seek + ?Sized>(
        &self,
        source: &mut S,
        section: &Section,
    ) -> Result<String, ReadError> {
        let name = section.name;
        let Some(number) = name.as_str().strip_prefix('/') else {
            return Ok(name.to_string());
        };
        let offset: u64 = number
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| number.parse().ok())
            .flatten()
            .ok_or(ReadError::LongNameNumber(name))?;
        let symbols = self
            .fields
            .symbols
            .ok_or(ReadError::LongNameWithoutTable(name))?;
        let end = symbols.end.min(self.len());
        let start = symbols.strings + offset;
        if offset < SIZEOF_LENGTH || start >= end {
            return Err(ReadError::LongNameOutside(name));
        }
        let size = usize::try_from((end - start).min(MAX_NAME)).unwrap_or(0);
        let bytes = read_at(source, start, size, "the string table")?;
        let text = bytes
            .iter()
            .position(|byte| *byte == 0)
            .and_then(|end| bytes.get(..end))
            .filter(|text| !text.is_empty())
            .ok_or(ReadError::LongNameNotText(name))?;
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(ReadError::LongNameNotText(name)),
        }
    }
}
