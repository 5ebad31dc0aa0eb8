//! How others see the bytes of sections pass.

use std::io::{Read, Seek};

use crate::io::{stream, zeros};
use crate::{Image, ReadError, Section};

/// Sees the sections of an image while the image is written ([`crate::layout`]) or read
/// ([`observe_sections`]).
///
/// For each section: one `begin`, then `data` calls whose bytes are together exactly `VirtualSize`
/// bytes (what the file does not store being zeros; the file's padding left out), then one `end`.
/// Sections come by their place in the file, those without bytes in the file first.
pub trait SectionObserver {
    /// The next section begins.
    fn begin(&mut self, section: &Section);
    /// The next bytes of the section.
    fn data(&mut self, bytes: &[u8]);
    /// The section is complete.
    fn end(&mut self);
}

/// Shows every section of an existing file to `observers`, exactly as the writer would.
///
/// Refuses images whose sections are together larger than a 32-bit address space.
pub fn observe_sections<S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
    observers: &mut [&mut dyn SectionObserver],
) -> Result<(), ReadError> {
    observe_some_sections(image, source, &|_| true, observers)
}

/// Shows those sections of an existing file that are `wanted`, as [`observe_sections`] shows all. The others are not read.
///
/// # Errors
/// As of [`observe_sections`].
pub fn observe_some_sections<S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
    wanted: &dyn Fn(&Section) -> bool,
    observers: &mut [&mut dyn SectionObserver],
) -> Result<(), ReadError> {
    let total: u64 = image
        .sections()
        .iter()
        .map(|section| u64::from(section.virtual_size))
        .sum();
    if total > u64::from(u32::MAX) {
        return Err(ReadError::SectionsTooLarge(total));
    }
    let all = in_file_order(image).map(|(_, section)| section);
    for section in all.filter(|section| wanted(section)) {
        begin(observers, section);
        stream(
            source,
            u64::from(section.raw_offset),
            section.stored(),
            "a section",
            |chunk| data(observers, chunk),
        )?;
        end(observers, section);
    }
    Ok(())
}

/// Sections as observers see them, each with its row: those without bytes in the file, then the
/// others by their place.
pub(crate) fn in_file_order(image: &Image) -> impl Iterator<Item = (usize, &Section)> {
    let rows = || image.sections().iter().enumerate();
    let mut stored: Vec<_> = rows().filter(|(_, section)| section.raw_size > 0).collect();
    stored.sort_by_key(|(_, section)| section.raw_offset);
    rows()
        .filter(|(_, section)| section.raw_size == 0)
        .chain(stored)
}

pub(crate) fn begin(observers: &mut [&mut dyn SectionObserver], section: &Section) {
    observers
        .iter_mut()
        .for_each(|observer| observer.begin(section));
}

pub(crate) fn data(observers: &mut [&mut dyn SectionObserver], bytes: &[u8]) {
    observers
        .iter_mut()
        .for_each(|observer| observer.data(bytes));
}

/// Fills up with zeros, then ends.
pub(crate) fn end(observers: &mut [&mut dyn SectionObserver], section: &Section) {
    zeros(section.zero_fill(), |bytes| data(observers, bytes));
    observers.iter_mut().for_each(|observer| observer.end());
}
