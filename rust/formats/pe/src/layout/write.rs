//! The one pass that writes a planned image.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use goblin::pe::section_table::{SIZEOF_SECTION_TABLE, SectionTable};
use scroll::{LE, Pwrite};
use sha2::{Digest, Sha256};

use super::sink::{self, Block, Failed, FillError, Sink, Stopped};
use super::{Content, Layout, Written};
use crate::authenticode::{header_ranges, padding};
use crate::header::CHECKSUM;
use crate::io::{read_at, read_chunk, zeros};
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
    pub fn write<S: Read + Seek + ?Sized, W: Write + Seek + Send + ?Sized>(
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
        out.write_all(&headers)?;
        let mut digest = Sha256::new();
        for range in header_ranges(&image) {
            let hashed = headers.get(range.start as usize..range.end as usize);
            digest.update(hashed.unwrap_or_default());
        }
        let mut writer = Writer {
            written: headers.len() as u64,
            progress,
        };
        (writer.progress)(writer.written);
        self.contents.sort_by_key(|(row, _)| *row);
        let contents = std::mem::take(&mut self.contents);
        let passed = sink::pass(self.len, &mut digest, out, |sink| {
            writer.sections(sink, &image, contents, base, observers)
        });
        passed.map_err(|failed| match failed {
            Failed::Filling(error) => error,
            Failed::Writing(error) => WriteError::Io(error),
        })?;
        zeros(padding(writer.written), |bytes| digest.update(bytes));
        out.flush()?;
        Ok(Written {
            image,
            authenticode_sha256: digest.finalize().into(),
        })
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

/// What passes: a section of the new image from its source, as the sink's blocks.
type Passing = Result<(), FillError<WriteError>>;

/// A failure of the filling side, not of the output.
fn own<E>(error: impl Fn(E) -> WriteError) -> impl Fn(E) -> FillError<WriteError> {
    move |source| FillError::Own(error(source))
}

/// How far the image is.
struct Writer<'s> {
    written: u64,
    progress: &'s mut dyn FnMut(u64),
}

impl Writer<'_> {
    fn sections<S: Read + Seek + ?Sized>(
        &mut self,
        sink: &mut dyn Sink,
        image: &Image,
        mut contents: Vec<(usize, Content<'_>)>,
        base: &mut S,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Passing {
        for section in observe::in_file_order(image) {
            let row = image
                .sections
                .iter()
                .position(|candidate| std::ptr::eq(candidate, section));
            let content = contents.iter().position(|(at, _)| Some(*at) == row);
            match content {
                Some(at) => self.section(sink, section, contents.swap_remove(at).1, observers)?,
                None => self.base_section(sink, section, base, observers)?,
            }
        }
        Ok(())
    }

    fn put(&mut self, sink: &mut dyn Sink, block: Block) -> Result<(), Stopped> {
        self.written += block.len as u64;
        sink.put(block)?;
        (self.progress)(self.written);
        Ok(())
    }

    /// Zeros up to `end`, a place in the file.
    fn pad_to(&mut self, sink: &mut dyn Sink, end: u64) -> Result<(), Stopped> {
        while self.written < end {
            let mut block = sink.block()?;
            let missing = usize::try_from(end - self.written).unwrap_or(usize::MAX);
            block.len = missing.min(block.room.len());
            block.room.get_mut(..block.len).unwrap_or_default().fill(0);
            self.put(sink, block)?;
        }
        Ok(())
    }

    /// A section that the base image has, copied with its padding.
    fn base_section<S: Read + Seek + ?Sized>(
        &mut self,
        sink: &mut dyn Sink,
        section: &Section,
        base: &mut S,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Passing {
        let failed = own(|error: io::Error| WriteError::Base(error.into()));
        observe::begin(observers, section);
        base.seek(SeekFrom::Start(u64::from(section.raw_offset)))
            .map_err(&failed)?;
        let mut shown = section.stored();
        let mut left = u64::from(section.raw_size);
        while left > 0 {
            let mut block = sink.block()?;
            block.fill(base, left).map_err(&failed)?;
            if block.len == 0 {
                return Err(FillError::Own(WriteError::BaseChanged));
            }
            left = left.saturating_sub(block.len as u64);
            let visible = usize::try_from(shown).unwrap_or(usize::MAX).min(block.len);
            observe::data(observers, block.bytes().get(..visible).unwrap_or_default());
            shown -= visible as u64;
            self.put(sink, block)?;
        }
        observe::end(observers, section);
        Ok(())
    }

    /// A section with new content, zero-padded to its place.
    fn section(
        &mut self,
        sink: &mut dyn Sink,
        section: &Section,
        content: Content<'_>,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Passing {
        // An empty section has no place in the file.
        if section.raw_size > 0 {
            self.pad_to(sink, u64::from(section.raw_offset))?;
        }
        observe::begin(observers, section);
        for mut part in content.parts {
            self.copy(sink, section.name, part.len, &mut part.source, observers)?;
            let end = self.written + part.padding;
            self.pad_to(sink, end)?;
            zeros(part.padding, |bytes| observe::data(observers, bytes));
        }
        observe::end(observers, section);
        if section.raw_size > 0 {
            self.pad_to(sink, section.raw_range().end)?;
        }
        Ok(())
    }

    fn copy(
        &mut self,
        sink: &mut dyn Sink,
        section: SectionName,
        len: u64,
        source: &mut dyn Read,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Passing {
        let failed = own(|source| WriteError::Content { section, source });
        let changed = || {
            FillError::Own(WriteError::ContentChanged {
                section,
                planned: len,
            })
        };
        let mut left = len;
        while left > 0 {
            let mut block = sink.block()?;
            block.fill(source, left).map_err(&failed)?;
            if block.len == 0 {
                return Err(changed());
            }
            left = left.saturating_sub(block.len as u64);
            observe::data(observers, block.bytes());
            self.put(sink, block)?;
        }
        match read_chunk(source, &mut [0], 1).map_err(failed)? {
            [] => Ok(()),
            _ => Err(changed()),
        }
    }
}
