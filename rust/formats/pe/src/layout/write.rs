//! The one pass that writes a planned image.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use goblin::pe::section_table::{SIZEOF_SECTION_TABLE, SectionTable};
use scroll::{LE, Pwrite};
use sha2::{Digest, Sha256};

use super::{Content, Layout, Written};
use crate::authenticode::{header_ranges, padding};
use crate::header::CHECKSUM;
use crate::io::{buffer, read_at, read_chunk, zeros};
use crate::observe::{self, SectionObserver};
use crate::{Image, ReadError, Section, SectionName, WriteError};

/// Fields of the COFF header, from its start.
const NUMBER_OF_SECTIONS: u64 = 2;
const POINTER_TO_SYMBOL_TABLE: u64 = 8;
/// Fields of the optional header, from its start; the same in PE32 and PE32+.
const SIZE_OF_INITIALIZED_DATA: u64 = 8;
const SIZE_OF_IMAGE: u64 = 56;
const SIZE_OF_HEADERS: u64 = 60;
const DLL_CHARACTERISTICS: u64 = 70;
/// Of a row of the section table.
const VIRTUAL_SIZE: u64 = 8;

impl Layout<'_> {
    /// Writes the image to `out` from where `out` stands at its start.
    ///
    /// `base` is the image for which the layout was planned. `observers` see every section;
    /// `progress` is told how many bytes are written so far. Nothing is written if the base
    /// changed.
    pub fn write<S: Read + Seek + ?Sized, W: Write + Seek + ?Sized>(
        mut self,
        base: &mut S,
        out: &mut W,
        observers: &mut [&mut dyn SectionObserver],
        progress: &mut dyn FnMut(u64),
    ) -> Result<Written, WriteError> {
        let headers = self.headers(base)?;
        let image =
            Image::read_headers(&mut Cursor::new(&headers), self.len).map_err(WriteError::Base)?;
        out.seek(SeekFrom::Start(0))?;
        let mut sink = Sink {
            out,
            hasher: Sha256::new(),
            written: 0,
            progress,
        };
        sink.headers(&image, &headers)?;

        self.contents.sort_by_key(|(row, _)| *row);
        let mut contents = std::mem::take(&mut self.contents);
        for section in observe::in_file_order(&image) {
            let row = image
                .sections
                .iter()
                .position(|candidate| std::ptr::eq(candidate, section));
            let content = contents.iter().position(|(at, _)| Some(*at) == row);
            match content {
                Some(at) => sink.section(section, contents.swap_remove(at).1, observers)?,
                None => sink.base_section(section, base, observers)?,
            }
        }
        sink.finish(image)
    }

    /// The headers of the new image, patched copies of the base's; `SizeOfHeaders` bytes.
    fn headers<S: Read + Seek + ?Sized>(&self, base: &mut S) -> Result<Vec<u8>, WriteError> {
        let now = Image::read(base).map_err(WriteError::Base)?;
        if now != self.base {
            return Err(WriteError::BaseChanged);
        }
        let size = self.headers.size_of_headers;
        let mut bytes =
            read_at(base, 0, size as usize, "the header block").map_err(WriteError::Base)?;
        self.check_room(&bytes)?;
        self.patch(&mut bytes)
            .map_err(|error| WriteError::Base(ReadError::Malformed(error.to_string())))?;
        Ok(bytes)
    }

    /// Where new section headers go, the base has zeros.
    fn check_room(&self, bytes: &[u8]) -> Result<(), WriteError> {
        let row =
            |index: usize| self.base.fields.section_table as usize + index * SIZEOF_SECTION_TABLE;
        let room = bytes.get(row(self.base.sections.len())..row(self.sections.len()));
        match room {
            Some(room) if room.iter().all(|byte| *byte == 0) => Ok(()),
            _ => Err(WriteError::HeaderRoomInUse),
        }
    }

    fn patch(&self, bytes: &mut [u8]) -> Result<(), scroll::Error> {
        let fields = &self.base.fields;
        let coff = |offset: u64| (fields.coff_offset + offset) as usize;
        let optional = |offset: u64| (fields.optional_offset + offset) as usize;
        // `plan` bounds the count to 16 bits.
        bytes.pwrite_with(self.sections.len() as u16, coff(NUMBER_OF_SECTIONS), LE)?;
        if self.headers.strip_symbols {
            bytes.pwrite_with(0_u64, coff(POINTER_TO_SYMBOL_TABLE), LE)?;
        }
        bytes.pwrite_with(
            self.headers.size_of_initialized_data,
            optional(SIZE_OF_INITIALIZED_DATA),
            LE,
        )?;
        bytes.pwrite_with(self.headers.size_of_image, optional(SIZE_OF_IMAGE), LE)?;
        bytes.pwrite_with(self.headers.size_of_headers, optional(SIZE_OF_HEADERS), LE)?;
        bytes.pwrite_with(0_u32, optional(CHECKSUM), LE)?;
        bytes.pwrite_with(
            self.headers.dll_characteristics,
            optional(DLL_CHARACTERISTICS),
            LE,
        )?;
        for (index, section) in self.sections.iter().enumerate() {
            let row = fields.section_table as usize + index * SIZEOF_SECTION_TABLE;
            if index < self.base.sections.len() {
                bytes.pwrite_with(section.virtual_size, row + VIRTUAL_SIZE as usize, LE)?;
            } else {
                let written = bytes.pwrite_with(&section_header(section), row, LE);
                written.map_err(|_| scroll::Error::BadOffset(row))?;
            }
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

/// Where bytes go: file, digest, progress.
struct Sink<'s, W: Write + Seek + ?Sized> {
    out: &'s mut W,
    hasher: Sha256,
    written: u64,
    progress: &'s mut dyn FnMut(u64),
}

impl<W: Write + Seek + ?Sized> Sink<'_, W> {
    fn headers(&mut self, image: &Image, bytes: &[u8]) -> Result<(), WriteError> {
        for range in header_ranges(image) {
            let hashed = bytes.get(range.start as usize..range.end as usize);
            self.hasher.update(hashed.unwrap_or_default());
        }
        self.out.write_all(bytes)?;
        self.written = bytes.len() as u64;
        (self.progress)(self.written);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        (self.progress)(self.written);
        Ok(())
    }

    /// Zeros up to `end`, a place in the file.
    fn pad_to(&mut self, end: u64) -> io::Result<()> {
        let mut result = Ok(());
        zeros(end.saturating_sub(self.written), |bytes| {
            if result.is_ok() {
                result = self.put(bytes);
            }
        });
        result
    }

    /// A section that the base image has, copied with its padding.
    fn base_section<S: Read + Seek + ?Sized>(
        &mut self,
        section: &Section,
        base: &mut S,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Result<(), WriteError> {
        observe::begin(observers, section);
        base.seek(SeekFrom::Start(u64::from(section.raw_offset)))
            .map_err(|e| WriteError::Base(e.into()))?;
        let mut shown = section.stored();
        let mut left = u64::from(section.raw_size);
        let mut buffer = buffer(left);
        while left > 0 {
            let bytes =
                read_chunk(base, &mut buffer, left).map_err(|e| WriteError::Base(e.into()))?;
            if bytes.is_empty() {
                return Err(WriteError::BaseChanged);
            }
            self.put(bytes)?;
            left = left.saturating_sub(bytes.len() as u64);
            let visible = usize::try_from(shown)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            observe::data(observers, bytes.get(..visible).unwrap_or_default());
            shown -= visible as u64;
        }
        observe::end(observers, section);
        Ok(())
    }

    /// A section with new content, zero-padded to its place.
    fn section(
        &mut self,
        section: &Section,
        content: Content<'_>,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Result<(), WriteError> {
        // An empty section has no place in the file.
        if section.raw_size > 0 {
            self.pad_to(u64::from(section.raw_offset))?;
        }
        observe::begin(observers, section);
        for mut part in content.parts {
            self.copy(section.name, part.len, &mut part.source, observers)?;
            let end = self.written + part.padding;
            self.pad_to(end)?;
            zeros(part.padding, |bytes| observe::data(observers, bytes));
        }
        observe::end(observers, section);
        if section.raw_size > 0 {
            self.pad_to(section.raw_range().end)?;
        }
        Ok(())
    }

    fn copy(
        &mut self,
        section: SectionName,
        len: u64,
        source: &mut dyn Read,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Result<(), WriteError> {
        let failed = |source| WriteError::Content { section, source };
        let changed = || WriteError::ContentChanged {
            section,
            planned: len,
        };
        let mut left = len;
        let mut buffer = buffer(len);
        while left > 0 {
            let bytes = read_chunk(source, &mut buffer, left).map_err(failed)?;
            if bytes.is_empty() {
                return Err(changed());
            }
            self.put(bytes)?;
            observe::data(observers, bytes);
            left = left.saturating_sub(bytes.len() as u64);
        }
        match read_chunk(source, &mut [0], 1).map_err(failed)? {
            [] => Ok(()),
            _ => Err(changed()),
        }
    }

    fn finish(mut self, image: Image) -> Result<Written, WriteError> {
        zeros(padding(self.written), |bytes| self.hasher.update(bytes));
        self.out.flush()?;
        Ok(Written {
            image,
            authenticode_sha256: self.hasher.finalize().into(),
        })
    }
}
