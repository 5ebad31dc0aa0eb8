//! What files and sections hold, as it goes into a UKI.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use touchstone_pe::Section;
use touchstone_pe::uki::Kernel;

use crate::Files;
use crate::content::{Content, Hashing};
use crate::input::Input;
use crate::source::open;

/// What a file holds.
pub(super) fn of_file(files: &dyn Files, path: &Path) -> io::Result<Content> {
    Content::of(&mut open(files, "file", path).map_err(io::Error::other)?)
}

/// What a section holds: as many bytes as it has in memory.
pub(super) fn of_section(file: &mut File, section: &Section) -> io::Result<Content> {
    let size = section.virtual_size.min(section.raw_size);
    file.seek(SeekFrom::Start(u64::from(section.raw_offset)))?;
    Content::of(&mut file.take(u64::from(size)))
}

/// What begins a section, up to this size, and the bytes behind it; none where it is not that long, or has more than `limit` behind it.
pub(super) fn split(
    file: &mut File,
    section: &Section,
    size: u64,
    limit: u64,
) -> io::Result<Option<(Content, Vec<u8>)>> {
    let whole = u64::from(section.virtual_size.min(section.raw_size));
    let Some(behind) = whole.checked_sub(size).filter(|behind| *behind <= limit) else {
        return Ok(None);
    };
    file.seek(SeekFrom::Start(u64::from(section.raw_offset)))?;
    let begin = Content::of(&mut Read::take(&mut *file, size))?;
    let mut rest = Vec::new();
    file.take(behind).read_to_end(&mut rest)?;
    Ok(Some((begin, rest)))
}

/// The kernel as it goes into a UKI: decompressed where it is compressed as a whole.
pub(super) fn kernel(files: &dyn Files, file: &Path) -> Result<Content, String> {
    let input = Input::open(files, "kernel", file).map_err(|error| said(file, error))?;
    let image = Kernel::new(input).decompressed();
    let mut image = image.map_err(|error| said(file, error))?;
    Content::of(&mut image).map_err(|error| said(file, error))
}

/// The initrds as they go into a UKI: an only one as it is, several joined, each padded to four bytes.
pub(super) fn joined(files: &dyn Files, paths: &[PathBuf]) -> Result<Content, String> {
    match paths {
        [_] => read(files, paths, false),
        _ => padded(files, paths),
    }
}

/// The initrds as they go into a UKI in front of another one: each padded to four bytes.
pub(super) fn padded(files: &dyn Files, paths: &[PathBuf]) -> Result<Content, String> {
    read(files, paths, true)
}

fn read(files: &dyn Files, paths: &[PathBuf], padded: bool) -> Result<Content, String> {
    let mut hashing = Hashing::default();
    for file in paths {
        let mut input = open(files, "initrd", file).map_err(|error| said(file, error))?;
        io::copy(&mut input, &mut hashing).map_err(|error| said(file, error))?;
        while padded && !hashing.size().is_multiple_of(4) {
            hashing.write_all(&[0]).map_err(|error| said(file, error))?;
        }
    }
    Ok(hashing.finish())
}

fn said(file: &Path, error: impl std::fmt::Display) -> String {
    format!("{} cannot be compared: {error}", file.display())
}
