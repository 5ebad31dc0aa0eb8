//! The writer: a layout is planned first, bytes are written second.
//!
//! [`Layout::plan`] and [`Layout::edit`] decide where everything goes and refuse what cannot be
//! written; [`Layout::write`] then makes one pass over the base image and the contents, computing
//! the Authenticode digest and showing every section to observers as the bytes go by.
//!
//! Layout rules (those of `ukify`, established by comparing outputs): sections are added behind the
//! last one, in memory at the next multiple of `SectionAlignment`, in the file at the next multiple
//! of `FileAlignment`; a section that the base image already has is overwritten in place,
//! zero-padded, its `VirtualSize` set to the new length; `SizeOfInitializedData` grows by each
//! added section's `VirtualSize`; `CheckSum` becomes 0, or right ([`Options::checksum`]); a COFF
//! symbol table at the end of the file is left out.
//!
//! Replacing and removing ([`Layout::edit`]): **addresses of sections that stay never move**, for
//! code refers to them: what was removed leaves a hole in memory (firmware does not mind; the last
//! sections' addresses are given to added ones), and new content is bounded by the next section's
//! address. **Offsets in the file are compacted**: no hole is left there, for bytes outside of
//! sections make Authenticode digests ambiguous. Refused is what this would break: an entry point
//! or data directory in what would be lost, and debug data, which name places in the file.

mod content;
mod error;
mod headers;
mod plan;
mod show;
mod sink;
mod write;

use std::fmt;
use std::path::PathBuf;

pub use content::Content;
pub use error::PlanError;

use crate::{Image, Section, SectionName};

/// A section to add, or to overwrite where the base image already has one of this name.
pub struct NewSection<'a> {
    /// Its name.
    pub name: SectionName,
    /// Its bytes.
    pub content: Content<'a>,
    /// Its `Characteristics`; an overwritten section keeps its own.
    pub characteristics: u32,
}

/// One of the base image's sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The only one of this name.
    Name(SectionName),
    /// The one in this row of [`Image::sections`], from 0.
    Row(usize),
}

impl From<SectionName> for Which {
    fn from(name: SectionName) -> Self {
        Self::Name(name)
    }
}

impl fmt::Display for Which {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(formatter, "{name}"),
            Self::Row(row) => write!(formatter, "in row {row}"),
        }
    }
}

/// One change to an image.
pub enum Change<'a> {
    /// Adds a section behind the others, whether or not there is one of this name already.
    Add(NewSection<'a>),
    /// Gives a section a new content of any length that its place in memory has room for.
    Replace(Which, Content<'a>),
    /// Leaves a section out.
    Remove(Which),
}

/// What else changes besides the sections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Clear `NX_COMPAT` in `DllCharacteristics`.
    pub clear_nx_compat: bool,
    /// Compute `CheckSum` instead of clearing it, as `ukify` does. Firmware ignores it.
    pub checksum: bool,
}

/// A planned image: every place is decided, no byte is written yet.
pub struct Layout<'a> {
    base: Image,
    headers: headers::Headers,
    /// The section table of the new image: first the base's sections, then the added ones.
    sections: Vec<Section>,
    /// Which of the base's sections each of `sections` was; none for added ones.
    origins: Vec<Option<usize>>,
    /// A content for each overwritten, replaced or added section, by its row in `sections`.
    contents: Vec<(usize, Content<'a>)>,
    len: u64,
    checksum: bool,
}

/// A place in an image where a whole file is copied to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFile {
    /// Offset of its first byte in the image.
    pub at: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The file, as [`Content::of_file`] named it.
    pub file: PathBuf,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The new image.
    pub image: Image,
    /// Its Authenticode SHA-256, computed while it was written.
    pub authenticode_sha256: [u8; 32],
}

impl<'a> Layout<'a> {
    /// Plans `base` with `new` sections. Of a name that `base` has, the first new section
    /// overwrites the existing one; all others are added in order.
    pub fn plan(
        base: &Image,
        new: Vec<NewSection<'a>>,
        options: Options,
    ) -> Result<Self, PlanError> {
        let mut planner = plan::Planner::new(base, options)?;
        for section in new {
            planner.place(section)?;
        }
        planner.finish()
    }

    /// Plans `base` with `changes`; sections are added in their order.
    pub fn edit(
        base: &Image,
        changes: Vec<Change<'a>>,
        options: Options,
    ) -> Result<Self, PlanError> {
        let mut planner = plan::Planner::new(base, options)?;
        for change in changes {
            match change {
                Change::Add(section) => planner.add(section),
                Change::Replace(which, content) => planner.replace(which, content)?,
                Change::Remove(which) => planner.remove(which)?,
            }
        }
        planner.finish()
    }

    /// The length of the image to be written, in bytes.
    #[allow(clippy::len_without_is_empty)] // an image is never empty
    pub fn len(&self) -> u64 {
        self.len
    }

    /// The files that are copied into the image as they are, by their places.
    pub fn files(&self) -> Vec<CopiedFile> {
        let mut files = Vec::new();
        for (row, content) in &self.contents {
            let section = self.sections.get(*row);
            let mut at = section.map_or(0, |section| u64::from(section.raw_offset));
            for part in &content.parts {
                if let Some(file) = part.file.clone().filter(|_| part.len > 0) {
                    let size = part.len;
                    files.push(CopiedFile { at, size, file });
                }
                at = at.saturating_add(part.len).saturating_add(part.padding);
            }
        }
        files.sort_by_key(|file| file.at);
        files
    }

    /// The section table that the image will have.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }
}
