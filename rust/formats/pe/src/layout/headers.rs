//! The headers of the new image: patched copies of the base's.

use std::io::{Read, Seek};

use goblin::pe::section_table::{SIZEOF_SECTION_TABLE, SectionTable};
use scroll::{LE, Pwrite};

use super::Layout;
use crate::header::CHECKSUM;
use crate::io::read_at;
use crate::{Image, ReadError, Section, WriteError};

/// Fields of the COFF header, from its start.
const NUMBER_OF_SECTIONS: u64 = 2;
const POINTER_TO_SYMBOL_TABLE: u64 = 8;
/// Fields of the optional header, from its start; the same in PE32 and PE32+.
const SIZE_OF_CODE: u64 = 4;
const SIZE_OF_INITIALIZED_DATA: u64 = 8;
const SIZE_OF_UNINITIALIZED_DATA: u64 = 12;
const SIZE_OF_IMAGE: u64 = 56;
const SIZE_OF_HEADERS: u64 = 60;
const DLL_CHARACTERISTICS: u64 = 70;
/// Of a row of the section table.
const VIRTUAL_SIZE: usize = 8;
const SIZE_OF_RAW_DATA: usize = 16;
const POINTER_TO_RAW_DATA: usize = 20;

/// The header fields that change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headers {
    pub size_of_headers: u32,
    pub size_of_image: u32,
    pub size_of_code: u32,
    pub size_of_initialized_data: u32,
    pub size_of_uninitialized_data: u32,
    pub dll_characteristics: u16,
    pub strip_symbols: bool,
}

impl Layout<'_> {
    /// The headers of the new image, `SizeOfHeaders` bytes. Refuses a base that is not the one
    /// which the layout was planned for.
    pub(super) fn headers<S: Read + Seek + ?Sized>(
        &self,
        base: &mut S,
    ) -> Result<Vec<u8>, WriteError> {
        let now = Image::read(base).map_err(WriteError::Base)?;
        if now != self.base {
            return Err(WriteError::BaseChanged);
        }
        let what = "the headers";
        let size = self.headers.size_of_headers as usize;
        let mut bytes = read_at(base, 0, size, what).map_err(WriteError::Base)?;
        self.check_room(&bytes)?;
        let cut = |_| WriteError::Base(ReadError::Truncated(what));
        self.patch_fields(&mut bytes).map_err(cut)?;
        self.patch_table(&mut bytes).map_err(cut)?;
        Ok(bytes)
    }

    fn row(&self, index: usize) -> usize {
        self.base.fields.section_table as usize + index * SIZEOF_SECTION_TABLE
    }

    /// Where new section headers go, the base has zeros.
    fn check_room(&self, bytes: &[u8]) -> Result<(), WriteError> {
        let start = self.row(self.base.sections.len());
        let end = self.row(self.sections.len()).max(start);
        match bytes.get(start..end) {
            Some(room) if room.iter().all(|byte| *byte == 0) => Ok(()),
            _ => Err(WriteError::HeaderRoomInUse),
        }
    }

    fn patch_fields(&self, bytes: &mut [u8]) -> Result<(), scroll::Error> {
        let (fields, new) = (&self.base.fields, &self.headers);
        let coff = |offset: u64| (fields.coff_offset + offset) as usize;
        // `plan` bounds the count to 16 bits.
        bytes.pwrite_with(self.sections.len() as u16, coff(NUMBER_OF_SECTIONS), LE)?;
        if new.strip_symbols {
            bytes.pwrite_with(0_u64, coff(POINTER_TO_SYMBOL_TABLE), LE)?;
        }
        let optional = |offset: u64| (fields.optional_offset + offset) as usize;
        for (offset, value) in [
            (SIZE_OF_CODE, new.size_of_code),
            (SIZE_OF_INITIALIZED_DATA, new.size_of_initialized_data),
            (SIZE_OF_UNINITIALIZED_DATA, new.size_of_uninitialized_data),
            (SIZE_OF_IMAGE, new.size_of_image),
            (SIZE_OF_HEADERS, new.size_of_headers),
            (CHECKSUM, 0),
        ] {
            bytes.pwrite_with(value, optional(offset), LE)?;
        }
        bytes.pwrite_with(new.dll_characteristics, optional(DLL_CHARACTERISTICS), LE)?;
        Ok(())
    }

    /// The base's rows keep the fields that this crate knows nothing of.
    fn patch_table(&self, bytes: &mut [u8]) -> Result<(), scroll::Error> {
        let (start, end) = (self.row(0), self.row(self.base.sections.len()));
        let old = bytes.get(start..end).unwrap_or_default().to_vec();
        bytes.get_mut(start..end).unwrap_or_default().fill(0);
        for (index, (section, origin)) in self.sections.iter().zip(&self.origins).enumerate() {
            let row = self.row(index);
            let Some(origin) = origin else {
                let written = bytes.pwrite_with(&section_header(section), row, LE);
                written.map_err(|_| scroll::Error::BadOffset(row))?;
                continue;
            };
            let from = origin * SIZEOF_SECTION_TABLE;
            let old = old.get(from..from + SIZEOF_SECTION_TABLE);
            bytes.pwrite(old.unwrap_or_default(), row)?;
            bytes.pwrite_with(section.virtual_size, row + VIRTUAL_SIZE, LE)?;
            bytes.pwrite_with(section.raw_size, row + SIZE_OF_RAW_DATA, LE)?;
            bytes.pwrite_with(section.raw_offset, row + POINTER_TO_RAW_DATA, LE)?;
        }
        Ok(())
    }
}

fn section_header(section: &Section) -> SectionTable {
    SectionTable {
        name: section.name.to_bytes(),
        virtual_size: section.virtual_size,
        virtual_address: section.virtual_address,
        size_of_raw_data: section.raw_size,
        pointer_to_raw_data: section.raw_offset,
        characteristics: section.characteristics,
        ..SectionTable::default()
    }
}
