//! The writer: a layout is planned first, bytes are written second.
//!
//! [`Layout::plan`] decides where everything goes and refuses what cannot be written;
//! [`Layout::write`] then makes one pass over the base image and the contents, computing the
//! Authenticode digest and showing every section to observers as the bytes go by.
//!
//! Layout rules (those of `ukify`, established by comparing outputs): sections are added behind the
//! last one, in memory at the next multiple of `SectionAlignment`, in the file at the next multiple
//! of `FileAlignment`; a section that the base image already has is overwritten in place,
//! zero-padded, its `VirtualSize` set to the new length; `SizeOfInitializedData` grows by each
//! added section's `VirtualSize`; `CheckSum` becomes 0; a COFF symbol table at the end of the file
//! is left out.

mod content;
mod sink;
mod write;

pub use content::Content;
use goblin::pe::section_table::SIZEOF_SECTION_TABLE;

use crate::io::align_up;
use crate::{Image, ReadError, Section, SectionName};

/// A section to add, or to overwrite where the base image already has one of this name.
pub struct NewSection<'a> {
    /// Its name.
    pub name: SectionName,
    /// Its bytes.
    pub content: Content<'a>,
    /// Its `Characteristics`; an overwritten section keeps its own.
    pub characteristics: u32,
}

/// What else changes besides the sections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Clear `NX_COMPAT` in `DllCharacteristics`.
    pub clear_nx_compat: bool,
}

/// A planned image: every place is decided, no byte is written yet.
pub struct Layout<'a> {
    base: Image,
    headers: Headers,
    /// The section table of the new image: first the base's sections, then the added ones.
    sections: Vec<Section>,
    /// A content for each overwritten or added section, by its row in `sections`.
    contents: Vec<(usize, Content<'a>)>,
    len: u64,
}

/// The header fields that change.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Headers {
    size_of_headers: u32,
    size_of_image: u32,
    size_of_initialized_data: u32,
    dll_characteristics: u16,
    strip_symbols: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The new image.
    pub image: Image,
    /// Its Authenticode SHA-256, computed while it was written.
    pub authenticode_sha256: [u8; 32],
}

/// Why sections cannot be added to an image.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The base image is signed: adding sections would break the signature.
    #[error("the base image is signed: give the unsigned one, and sign the result")]
    Signed,
    /// The base image's headers and sections leave gaps or overlap.
    #[error("the base image: {0}")]
    Base(#[from] ReadError),
    /// Something other than a symbol table stands behind the sections.
    #[error(
        "the base image has {0} bytes behind its last section, which would be lost or misplaced"
    )]
    TrailingData(u64),
    /// The last section does not fill its last file block.
    #[error("the base image's last section ends at byte {0}, no multiple of FileAlignment")]
    UnalignedEnd(u64),
    /// A COFF symbol table that is not the last thing in the file.
    #[error("the base image has a symbol table that is not at its end: strip it")]
    SymbolTable,
    /// An alignment that is no power of two, or headers that do not keep it.
    #[error("the base image's {0} is {1:#x}, no valid alignment")]
    Alignment(&'static str, u32),
    /// The section table cannot grow: there is no room before `SizeOfHeaders`.
    #[error(
        "the base image has room for {free} more sections, {wanted} are wanted: use a stub with \
         larger headers"
    )]
    NoHeaderRoom {
        /// How many section headers still fit.
        free: usize,
        /// How many are to be added.
        wanted: usize,
    },
    /// The new content of an existing section is larger than its place.
    #[error(
        "the section {name} of the base image has room for {room} bytes, its new content has {len}"
    )]
    NoRoomInPlace {
        /// The section.
        name: SectionName,
        /// Its place in bytes.
        room: u64,
        /// Its new content in bytes.
        len: u64,
    },
    /// The image, in the file or in memory, would be larger than 4 GiB.
    #[error(
        "the image would be larger than 4 GiB (at section {0}), which no PE image can be: give \
         smaller parts"
    )]
    TooLarge(SectionName),
}

impl<'a> Layout<'a> {
    /// Plans `base` with `new` sections. Of a name that `base` has, the first new section
    /// overwrites the existing one; all others are added in order.
    pub fn plan(
        base: &Image,
        new: Vec<NewSection<'a>>,
        options: Options,
    ) -> Result<Self, PlanError> {
        let base_end = check_base(base)?;
        let mut planner = Planner::new(base, base_end, options)?;
        for section in new {
            planner.place(section)?;
        }
        planner.finish(base)
    }

    /// The length of the image to be written, in bytes.
    #[allow(clippy::len_without_is_empty)] // an image is never empty
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The section table that the image will have.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }
}

/// Checks what the rules require of a base image; returns where its last section ends.
fn check_base(base: &Image) -> Result<u64, PlanError> {
    if base.certificate_table().is_some() {
        return Err(PlanError::Signed);
    }
    let fields = &base.fields;
    for (what, value) in [
        ("SectionAlignment", fields.section_alignment),
        ("FileAlignment", fields.file_alignment),
    ] {
        if !value.is_power_of_two() {
            return Err(PlanError::Alignment(what, value));
        }
    }
    if fields.symbols.0 != 0 && !strips_symbols(base) {
        return Err(PlanError::SymbolTable);
    }
    let headers =
        u64::from(fields.size_of_headers).next_multiple_of(u64::from(fields.file_alignment));
    let end = base.contiguous_from(headers)?;
    // An added section would leave a gap.
    if !end.is_multiple_of(u64::from(fields.file_alignment)) {
        return Err(PlanError::UnalignedEnd(end));
    }
    let kept = if strips_symbols(base) {
        u64::from(fields.symbols.0)
    } else {
        base.len()
    };
    match kept.checked_sub(end) {
        Some(0) => Ok(end),
        Some(trailing) => Err(PlanError::TrailingData(trailing)),
        None => Err(PlanError::Base(ReadError::Truncated(
            "the padding of the headers",
        ))),
    }
}

/// Only a symbol table at the very end of the file can be left out.
fn strips_symbols(base: &Image) -> bool {
    base.fields.symbols_end == Some(base.len())
}

struct Planner<'a> {
    sections: Vec<Section>,
    base_count: usize,
    contents: Vec<(usize, Content<'a>)>,
    headers: Headers,
    section_alignment: u64,
    file_alignment: u64,
    len: u64,
}

impl<'a> Planner<'a> {
    fn new(base: &Image, base_end: u64, options: Options) -> Result<Self, PlanError> {
        let fields = &base.fields;
        let nx_compat = goblin::pe::dll_characteristic::IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
        let cleared = if options.clear_nx_compat {
            nx_compat
        } else {
            0
        };
        let size_of_headers = fields
            .size_of_headers
            .checked_next_multiple_of(fields.file_alignment)
            .ok_or(PlanError::Alignment("FileAlignment", fields.file_alignment))?;
        Ok(Self {
            sections: base.sections().to_vec(),
            base_count: base.sections().len(),
            contents: Vec::new(),
            headers: Headers {
                size_of_headers,
                size_of_image: 0,
                size_of_initialized_data: fields.size_of_initialized_data,
                dll_characteristics: fields.dll_characteristics & !cleared,
                strip_symbols: strips_symbols(base),
            },
            section_alignment: u64::from(fields.section_alignment),
            file_alignment: u64::from(fields.file_alignment),
            len: base_end,
        })
    }

    fn place(&mut self, new: NewSection<'a>) -> Result<(), PlanError> {
        let existing = self
            .sections
            .iter()
            .take(self.base_count)
            .position(|section| section.name == new.name);
        match existing {
            Some(row) if !self.contents.iter().any(|(taken, _)| *taken == row) => {
                self.overwrite(row, new)
            }
            _ => self.add(new),
        }
    }

    fn overwrite(&mut self, row: usize, new: NewSection<'a>) -> Result<(), PlanError> {
        let len = new.content.len();
        let next = self.sections.iter().map(|section| section.virtual_address);
        let section = self
            .sections
            .get(row)
            .cloned()
            .ok_or(PlanError::TooLarge(new.name))?;
        // In memory, it must end where the next section begins.
        let in_memory = next
            .filter(|address| *address > section.virtual_address)
            .min();
        let in_memory = in_memory.map_or(u32::MAX, |address| address - section.virtual_address);
        let room = u64::from(section.raw_size.min(in_memory));
        let virtual_size = u32::try_from(len).ok().filter(|_| len <= room);
        let Some(virtual_size) = virtual_size else {
            return Err(PlanError::NoRoomInPlace {
                name: new.name,
                room,
                len,
            });
        };
        if let Some(section) = self.sections.get_mut(row) {
            section.virtual_size = virtual_size;
        }
        self.contents.push((row, new.content));
        Ok(())
    }

    fn add(&mut self, new: NewSection<'a>) -> Result<(), PlanError> {
        let section = self.next_place(&new).ok_or(PlanError::TooLarge(new.name))?;
        let grown = self
            .headers
            .size_of_initialized_data
            .checked_add(section.virtual_size);
        self.headers.size_of_initialized_data = grown.ok_or(PlanError::TooLarge(new.name))?;
        self.len = section.raw_range().end;
        self.contents.push((self.sections.len(), new.content));
        self.sections.push(section);
        Ok(())
    }

    /// Where an added section goes; `None` if that is beyond 4 GiB.
    fn next_place(&self, new: &NewSection<'a>) -> Option<Section> {
        let len = new.content.len();
        let raw_offset = align_up(self.len, self.file_alignment)?;
        let raw_size = align_up(len, self.file_alignment)?;
        u32::try_from(raw_offset.checked_add(raw_size)?).ok()?;
        let virtual_address = self.memory_end()?;
        u32::try_from(virtual_address.checked_add(align_up(len, self.section_alignment)?)?).ok()?;
        Some(Section {
            name: new.name,
            virtual_size: u32::try_from(len).ok()?,
            virtual_address: u32::try_from(virtual_address).ok()?,
            raw_size: u32::try_from(raw_size).ok()?,
            raw_offset: u32::try_from(raw_offset).ok()?,
            characteristics: new.characteristics,
        })
    }

    /// Where the sections end in memory, rounded up to `SectionAlignment`.
    fn memory_end(&self) -> Option<u64> {
        let ends = self
            .sections
            .iter()
            .map(|section| u64::from(section.virtual_address) + u64::from(section.virtual_size));
        align_up(
            ends.max()
                .unwrap_or(u64::from(self.headers.size_of_headers)),
            self.section_alignment,
        )
    }

    fn finish(mut self, base: &Image) -> Result<Layout<'a>, PlanError> {
        let fields = &base.fields;
        let wanted = self.sections.len() - self.base_count;
        let table_end = fields.section_table + (self.base_count * SIZEOF_SECTION_TABLE) as u64;
        let room = u64::from(self.headers.size_of_headers).saturating_sub(table_end);
        let free = usize::try_from(room).unwrap_or(0) / SIZEOF_SECTION_TABLE;
        let free = free.min(usize::from(u16::MAX) - self.base_count);
        if wanted > free {
            return Err(PlanError::NoHeaderRoom { free, wanted });
        }
        let end = self.memory_end().and_then(|end| u32::try_from(end).ok());
        let last = self.sections.last().map(|section| section.name);
        self.headers.size_of_image = match (end, last) {
            (Some(end), _) => end,
            (None, Some(last)) => return Err(PlanError::TooLarge(last)),
            (None, None) => 0,
        };
        Ok(Layout {
            base: base.clone(),
            headers: self.headers,
            sections: self.sections,
            contents: self.contents,
            len: self.len,
        })
    }
}
