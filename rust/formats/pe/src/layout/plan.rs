//! Where everything goes.

use goblin::pe::section_table::{
    IMAGE_SCN_CNT_CODE, IMAGE_SCN_CNT_UNINITIALIZED_DATA, IMAGE_SCN_MEM_EXECUTE,
    SIZEOF_SECTION_TABLE,
};

use super::headers::Headers;
use super::{Content, Layout, NewSection, Options, PlanError, Which};
use crate::header::{CERTIFICATE_DIRECTORY, DEBUG_DIRECTORY};
use crate::image::ADDRESS_SPACE;
use crate::io::align_up;
use crate::{Image, ReadError, Section, rules};

/// One of the base's sections, and what becomes of it.
struct Row<'a> {
    section: Section,
    fate: Fate<'a>,
}

enum Fate<'a> {
    Kept,
    /// New content within the place that the section has in the file.
    Overwritten(Content<'a>),
    Replaced(Content<'a>),
    Removed,
}

pub(super) struct Planner<'p, 'a> {
    base: &'p Image,
    rows: Vec<Row<'a>>,
    added: Vec<NewSection<'a>>,
    headers: Headers,
    options: Options,
}

/// Checks what the rules require of a base image.
fn check_base(base: &Image) -> Result<(), PlanError> {
    if base.certificate_table().is_some() {
        return Err(PlanError::Signed);
    }
    let end = rules::base(base)?;
    // An added section would leave a gap.
    if !end.is_multiple_of(u64::from(base.fields.file_alignment)) {
        return Err(PlanError::UnalignedEnd(end));
    }
    let kept = base
        .fields
        .symbols
        .map_or(base.len(), |symbols| symbols.start);
    match kept.saturating_sub(end) {
        0 => Ok(()),
        trailing => Err(PlanError::TrailingData(trailing)),
    }
}

impl<'p, 'a> Planner<'p, 'a> {
    pub fn new(base: &'p Image, options: Options) -> Result<Self, PlanError> {
        check_base(base)?;
        let kept = |section: &Section| Row {
            section: section.clone(),
            fate: Fate::Kept,
        };
        Ok(Self {
            base,
            rows: base.sections().iter().map(kept).collect(),
            added: Vec::new(),
            headers: Headers::of(base, options)?,
            options,
        })
    }

    /// Overwrites the section of this name that the base has, or else adds one.
    pub fn place(&mut self, new: NewSection<'a>) -> Result<(), PlanError> {
        let existing = self
            .rows
            .iter()
            .position(|row| row.section.name == new.name);
        let kept = |row: &usize| matches!(self.rows.get(*row), Some(row) if row.is_kept());
        match existing.filter(kept) {
            Some(row) => self.overwrite(row, new.content),
            None => {
                self.add(new);
                Ok(())
            }
        }
    }

    pub fn add(&mut self, new: NewSection<'a>) {
        self.added.push(new);
    }

    fn overwrite(&mut self, index: usize, content: Content<'a>) -> Result<(), PlanError> {
        let in_memory = self.room_in_memory(index);
        let Some(row) = self.rows.get_mut(index) else {
            return Err(PlanError::NoSuchSection(Which::Row(index)));
        };
        let len = content.len();
        let name = row.section.name;
        let room = u64::from(row.section.raw_size).min(in_memory);
        let virtual_size = u32::try_from(len).ok().filter(|_| len <= room);
        row.section.virtual_size =
            virtual_size.ok_or(PlanError::NoRoomInPlace { name, room, len })?;
        row.fate = Fate::Overwritten(content);
        Ok(())
    }

    pub fn replace(&mut self, which: Which, content: Content<'a>) -> Result<(), PlanError> {
        self.change(which, Fate::Replaced(content))
    }

    pub fn remove(&mut self, which: Which) -> Result<(), PlanError> {
        self.change(which, Fate::Removed)
    }

    fn change(&mut self, which: Which, fate: Fate<'a>) -> Result<(), PlanError> {
        let index = self.find(which)?;
        let row = self.rows.get_mut(index);
        let row = row.ok_or(PlanError::NoSuchSection(which))?;
        if !row.is_kept() {
            return Err(PlanError::ChangedTwice(row.section.name));
        }
        let new_size = match &fate {
            Fate::Replaced(content) => content.len(),
            _ => 0,
        };
        check_loss(self.base, &row.section, new_size)?;
        self.headers.resize(&row.section, new_size)?;
        row.fate = fate;
        Ok(())
    }

    fn find(&self, which: Which) -> Result<usize, PlanError> {
        let name = match which {
            Which::Row(row) => return Ok(row),
            Which::Name(name) => name,
        };
        let mut named = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.section.name == name);
        match (named.next(), named.count()) {
            (Some((row, _)), 0) => Ok(row),
            (Some(_), others) => Err(PlanError::AmbiguousSection {
                name,
                count: others + 1,
            }),
            (None, _) => Err(PlanError::NoSuchSection(which)),
        }
    }

    /// From the section's address to that of the next one that is left. (Addresses ascend.)
    fn room_in_memory(&self, index: usize) -> u64 {
        let addresses = |row: &Row<'_>| u64::from(row.section.virtual_address);
        let start = self.rows.get(index).map_or(0, addresses);
        let mut behind = self.rows.iter().skip(index + 1);
        let next = behind.find(|row| !matches!(row.fate, Fate::Removed));
        next.map_or(u64::from(u32::MAX), addresses) - start
    }

    pub fn finish(mut self) -> Result<Layout<'a>, PlanError> {
        self.resize_replaced()?;
        let mut end = self.compact()?;
        self.check_header_room()?;
        let mut layout = Layout {
            base: self.base.clone(),
            headers: self.headers,
            sections: Vec::new(),
            origins: Vec::new(),
            contents: Vec::new(),
            len: 0,
            checksum: self.options.checksum,
        };
        for (index, row) in self.rows.into_iter().enumerate() {
            let content = match row.fate {
                Fate::Removed => continue,
                Fate::Kept => None,
                Fate::Overwritten(content) | Fate::Replaced(content) => Some(content),
            };
            layout.push(row.section, Some(index), content);
        }
        for new in self.added {
            let name = new.name;
            let section = layout.next_place(&new, end);
            let section = section.ok_or(PlanError::TooLarge(name))?;
            layout.headers.grow(&section)?;
            if section.raw_size > 0 {
                end = section.raw_range().end;
            }
            layout.push(section, None, Some(new.content));
        }
        layout.conclude(end)
    }

    /// Gives replaced sections their new size, now that it is known which ones stay.
    fn resize_replaced(&mut self) -> Result<(), PlanError> {
        for index in 0..self.rows.len() {
            let room = self.room_in_memory(index);
            let Some(row) = self.rows.get_mut(index) else {
                continue;
            };
            let Fate::Replaced(content) = &row.fate else {
                continue;
            };
            let (name, len) = (row.section.name, content.len());
            if len > room {
                return Err(PlanError::NoRoomInMemory { name, room, len });
            }
            let raw_size = align_up(len, u64::from(self.base.fields.file_alignment));
            let raw_size = raw_size.and_then(|size| u32::try_from(size).ok());
            row.section.raw_size = raw_size.ok_or(PlanError::TooLarge(name))?;
            row.section.virtual_size = u32::try_from(len).map_err(|_| PlanError::TooLarge(name))?;
        }
        Ok(())
    }

    /// Lets the base's sections follow one another in the file, in the order that they had there;
    /// returns where they end.
    fn compact(&mut self) -> Result<u64, PlanError> {
        let has_debug_data = self.base.fields.directory(DEBUG_DIRECTORY).is_some();
        let mut end = u64::from(self.headers.size_of_headers);
        // One that had no bytes in the file comes last.
        let mut rows: Vec<_> = self.base.sections().iter().zip(&mut self.rows).collect();
        rows.retain(|(_, row)| !matches!(row.fate, Fate::Removed) && row.section.raw_size > 0);
        rows.sort_by_key(|(old, _)| (old.raw_size == 0, old.raw_offset));
        for (_, row) in rows {
            let section = &mut row.section;
            let offset = u32::try_from(end).map_err(|_| PlanError::TooLarge(section.name))?;
            let moved = offset != section.raw_offset;
            if moved && has_debug_data && matches!(row.fate, Fate::Kept) {
                return Err(PlanError::DebugData(section.name));
            }
            section.raw_offset = offset;
            end = section.raw_range().end;
        }
        Ok(end)
    }

    fn check_header_room(&self) -> Result<(), PlanError> {
        let removed = self
            .rows
            .iter()
            .filter(|row| matches!(row.fate, Fate::Removed))
            .count();
        let kept = self.rows.len() - removed;
        let room =
            u64::from(self.headers.size_of_headers).saturating_sub(self.base.fields.section_table);
        let rows = usize::try_from(room).unwrap_or(0) / SIZEOF_SECTION_TABLE;
        let free = rows.min(usize::from(u16::MAX)).saturating_sub(kept);
        let wanted = self.added.len();
        if wanted > free {
            return Err(PlanError::NoHeaderRoom { free, wanted });
        }
        Ok(())
    }
}

impl Row<'_> {
    fn is_kept(&self) -> bool {
        matches!(self.fate, Fate::Kept)
    }
}

/// Refuses to shorten or remove a section where the headers name something in what would be lost.
fn check_loss(base: &Image, section: &Section, new_size: u64) -> Result<(), PlanError> {
    let memory = section.memory_range();
    let left = memory.start + new_size.min(ADDRESS_SPACE);
    let entry_point = u64::from(base.fields.entry_point);
    if memory.contains(&entry_point) && entry_point >= left {
        return Err(PlanError::EntryPointLost(section.name));
    }
    for (index, (address, size)) in base.fields.directories.iter().enumerate() {
        let start = u64::from(*address);
        let end = start + u64::from(*size);
        let inside = index != CERTIFICATE_DIRECTORY && *size > 0 && memory.contains(&start);
        if inside && end > left {
            let name = section.name;
            return Err(PlanError::DirectoryLost { name, index });
        }
    }
    Ok(())
}

impl Headers {
    fn of(base: &Image, options: Options) -> Result<Self, PlanError> {
        let fields = &base.fields;
        let nx_compat = goblin::pe::dll_characteristic::IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
        let cleared = if options.clear_nx_compat {
            nx_compat
        } else {
            0
        };
        let size = u64::from(fields.size_of_headers);
        let size = align_up(size, u64::from(fields.file_alignment)).unwrap_or(u64::MAX);
        Ok(Self {
            size_of_headers: u32::try_from(size)
                .map_err(|_| ReadError::HeaderPaddingOutside(size))?,
            size_of_image: 0,
            size_of_code: fields.size_of_code,
            size_of_initialized_data: fields.size_of_initialized_data,
            size_of_uninitialized_data: fields.size_of_uninitialized_data,
            dll_characteristics: fields.dll_characteristics & !cleared,
            strip_symbols: fields.symbols.is_some(),
        })
    }

    /// Counts a section's new size where its old one was counted.
    fn resize(&mut self, section: &Section, new_size: u64) -> Result<(), PlanError> {
        let code = IMAGE_SCN_CNT_CODE | IMAGE_SCN_MEM_EXECUTE;
        let sum = if section.characteristics & code == code {
            &mut self.size_of_code
        } else if section.characteristics & IMAGE_SCN_CNT_UNINITIALIZED_DATA != 0 {
            &mut self.size_of_uninitialized_data
        } else {
            &mut self.size_of_initialized_data
        };
        let others = sum.saturating_sub(section.virtual_size);
        *sum = u32::try_from(new_size)
            .ok()
            .and_then(|size| others.checked_add(size))
            .ok_or(PlanError::TooLarge(section.name))?;
        Ok(())
    }

    /// Counts an added section, as `ukify` does: as data, whatever it is.
    fn grow(&mut self, section: &Section) -> Result<(), PlanError> {
        let sum = self.size_of_initialized_data;
        let grown = sum.checked_add(section.virtual_size);
        self.size_of_initialized_data = grown.ok_or(PlanError::TooLarge(section.name))?;
        Ok(())
    }
}

impl<'a> Layout<'a> {
    fn push(&mut self, section: Section, origin: Option<usize>, content: Option<Content<'a>>) {
        let row = self.sections.len();
        self.contents.extend(content.map(|content| (row, content)));
        self.sections.push(section);
        self.origins.push(origin);
    }

    /// Where an added section goes, `end` being where the last one ends in the file; `None` if that
    /// is beyond 4 GiB.
    fn next_place(&self, new: &NewSection<'a>, end: u64) -> Option<Section> {
        let fields = &self.base.fields;
        let len = new.content.len();
        let raw_offset = align_up(end, u64::from(fields.file_alignment))?;
        let raw_size = align_up(len, u64::from(fields.file_alignment))?;
        u32::try_from(raw_offset.checked_add(raw_size)?).ok()?;
        let virtual_address = self.memory_end()?;
        let memory = align_up(len, u64::from(fields.section_alignment))?;
        u32::try_from(virtual_address.checked_add(memory)?).ok()?;
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
            .map(|section| section.memory_range().end);
        let headers = u64::from(self.headers.size_of_headers);
        align_up(
            ends.max().unwrap_or(headers),
            u64::from(self.base.fields.section_alignment),
        )
    }

    /// Checks the new image by the rules of the format, as the base was.
    fn conclude(mut self, end: u64) -> Result<Self, PlanError> {
        let memory_end = self.memory_end().and_then(|end| u32::try_from(end).ok());
        self.headers.size_of_image = match (memory_end, self.sections.last()) {
            (Some(end), _) => end,
            (None, Some(last)) => return Err(PlanError::TooLarge(last.name)),
            (None, None) => 0,
        };
        self.len = end;
        rules::ascending(&self.sections, self.headers.size_of_headers)?;
        let mut stored: Vec<_> = self
            .sections
            .iter()
            .filter(|section| section.raw_size > 0)
            .collect();
        stored.sort_by_key(|section| section.raw_offset);
        rules::contiguous(stored, u64::from(self.headers.size_of_headers))?;
        Ok(self)
    }
}
