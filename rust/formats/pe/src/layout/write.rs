//! The one pass that writes a planned image.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use super::sink::{self, Block, Failed, FillError, Sink, Stopped, Sums};
use super::{Content, Layout, Written};
use crate::authenticode::{header_ranges, padding};
use crate::io::{read_chunk, zeros};
use crate::observe::{self, SectionObserver};
use crate::{Image, Section, SectionName, WriteError, checksum};

impl<'a> Layout<'a> {
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
        let mut image =
            Image::read_headers(&mut Cursor::new(&headers), self.len).map_err(WriteError::Base)?;
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&headers)?;
        let mut sums = Sums::new(self.checksum);
        sums.headers(&headers, header_ranges(&image));
        let mut writer = Writer {
            written: headers.len() as u64,
            progress,
        };
        (writer.progress)(writer.written);
        let sources = self.sources();
        let passed = sink::pass(self.len, &mut sums, out, |sink| {
            writer.sections(sink, &image, sources, base, observers)
        });
        passed.map_err(|failed| match failed {
            Failed::Filling(error) => error,
            Failed::Writing(error) => WriteError::Io(error),
        })?;
        if let Some(sum) = sums.checksum() {
            out.seek(SeekFrom::Start(checksum::place(&image)))?;
            out.write_all(&sum.to_le_bytes())?;
            image.fields.checksum = sum;
        }
        out.flush()?;
        Ok(Written {
            image,
            authenticode_sha256: sums.digest(padding(writer.written)),
        })
    }

    /// For each section of the new image, where its bytes come from.
    fn sources(&mut self) -> Vec<Source<'a>> {
        let places = self.origins.iter().map(|origin| {
            let base = origin.and_then(|row| self.base.sections.get(row));
            Source::Base(base.map_or(0, |section| u64::from(section.raw_offset)))
        });
        let mut sources: Vec<_> = places.collect();
        for (row, content) in self.contents.drain(..) {
            if let Some(source) = sources.get_mut(row) {
                *source = Source::Content(content);
            }
        }
        sources
    }
}

/// Where the bytes of a section come from.
enum Source<'a> {
    /// From this place of the base image on.
    Base(u64),
    Content(Content<'a>),
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
        mut sources: Vec<Source<'_>>,
        base: &mut S,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Passing {
        for (row, section) in observe::in_file_order(image) {
            let Some(source) = sources.get_mut(row) else {
                continue;
            };
            match std::mem::replace(source, Source::Base(0)) {
                Source::Content(content) => self.section(sink, section, content, observers)?,
                Source::Base(from) => self.base_section(sink, section, base, from, observers)?,
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

    /// A section that the base image has, copied with its padding `from` its place there.
    fn base_section<S: Read + Seek + ?Sized>(
        &mut self,
        sink: &mut dyn Sink,
        section: &Section,
        base: &mut S,
        from: u64,
        observers: &mut [&mut dyn SectionObserver],
    ) -> Passing {
        let failed = own(|error: io::Error| WriteError::Base(error.into()));
        observe::begin(observers, section);
        base.seek(SeekFrom::Start(from)).map_err(&failed)?;
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
