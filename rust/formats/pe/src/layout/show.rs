//! A planned image that is looked at and not written.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use super::{Content, Layout};
use crate::io::{buffer, read_chunk, stream, zeros};
use crate::observe::{self, SectionObserver};
use crate::{Section, WriteError};

impl Layout<'_> {
    /// Shows `observers` the sections that the image would have, in the order of its section table, and writes nothing.
    ///
    /// `base` is the image for which the layout was planned. Rows for which `known` holds are passed over, their contents not read.
    ///
    /// # Errors
    /// As [`Layout::write`], but for failures to write.
    pub fn show<S: Read + Seek + ?Sized>(
        self,
        base: &mut S,
        known: &dyn Fn(usize) -> bool,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Result<(), WriteError> {
        let mut contents: BTreeMap<usize, Content<'_>> = self.contents.into_iter().collect();
        for (row, section) in self.sections.iter().enumerate() {
            if known(row) {
                continue;
            }
            observe::begin(observers, section);
            let was = self.origins.get(row).copied().flatten();
            let was = was.and_then(|row| self.base.sections.get(row));
            match (contents.remove(&row), was) {
                (Some(content), _) => show_content(section, content, observers)?,
                (None, Some(was)) => {
                    let (at, len) = (u64::from(was.raw_offset), section.stored());
                    stream(base, at, len, "a section", |bytes| {
                        observe::data(observers, bytes);
                    })
                    .map_err(WriteError::Base)?;
                }
                (None, None) => {}
            }
            observe::end(observers, section);
        }
        Ok(())
    }
}

fn show_content(
    section: &Section,
    content: Content<'_>,
    observers: &mut [&mut dyn SectionObserver],
) -> Result<(), WriteError> {
    for mut part in content.parts {
        let whole = copy(&mut part.source, part.len, observers);
        let whole = whole.map_err(|source| WriteError::Content {
            section: section.name,
            source,
        })?;
        if !whole {
            return Err(WriteError::ContentChanged {
                section: section.name,
                planned: part.len,
            });
        }
        zeros(part.padding, |bytes| observe::data(observers, bytes));
    }
    Ok(())
}

/// Shows `len` bytes; whether the source has just as many.
fn copy(
    source: &mut dyn Read,
    len: u64,
    observers: &mut [&mut dyn SectionObserver],
) -> io::Result<bool> {
    let mut buffer = buffer(len);
    let mut left = len;
    while left > 0 {
        let bytes = read_chunk(source, &mut buffer, left)?;
        if bytes.is_empty() {
            return Ok(false);
        }
        observe::data(observers, bytes);
        left = left.saturating_sub(bytes.len() as u64);
    }
    Ok(read_chunk(source, &mut [0], 1)?.is_empty())
}
