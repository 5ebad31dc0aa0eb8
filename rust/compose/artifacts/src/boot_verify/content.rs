//! What files and sections hold, by size and digest: never in memory as a whole.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use touchstone_pe::Section;
use touchstone_pe::uki::Kernel;

use crate::input::Input;
use crate::source::open;

/// Size in bytes and SHA-256 in hex.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) sha256: String,
}

impl Default for Content {
    /// No bytes.
    fn default() -> Self {
        Hashing::default().finish()
    }
}

/// Counts and hashes what is written to it.
#[derive(Default)]
struct Hashing {
    hasher: Sha256,
    size: u64,
}

impl Hashing {
    fn finish(self) -> Content {
        Content {
            size: self.size,
            sha256: crate::hex(&self.hasher.finalize()),
        }
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a file holds.
pub(super) fn of_file(path: &Path) -> io::Result<Content> {
    let mut hashing = Hashing::default();
    let mut file = open("file", path).map_err(io::Error::other)?;
    io::copy(&mut file, &mut hashing)?;
    Ok(hashing.finish())
}

/// What a section holds: as many bytes as it has in memory.
pub(super) fn of_section(file: &mut File, section: &Section) -> io::Result<Content> {
    let size = section.virtual_size.min(section.raw_size);
    file.seek(SeekFrom::Start(u64::from(section.raw_offset)))?;
    let mut hashing = Hashing::default();
    io::copy(&mut file.take(u64::from(size)), &mut hashing)?;
    Ok(hashing.finish())
}

/// The kernel as it goes into a UKI: decompressed where it is compressed as a whole.
pub(super) fn kernel(file: &Path) -> Result<Content, String> {
    let mut hashing = Hashing::default();
    let input = Input::open("kernel", file).map_err(|error| said(file, error))?;
    let image = Kernel::new(input).decompressed();
    let mut image = image.map_err(|error| said(file, error))?;
    io::copy(&mut image, &mut hashing).map_err(|error| said(file, error))?;
    Ok(hashing.finish())
}

/// The initrds as they go into a UKI: an only one as it is, several joined, each padded to four bytes.
pub(super) fn joined(files: &[PathBuf]) -> Result<Content, String> {
    let mut hashing = Hashing::default();
    for file in files {
        let mut input = open("initrd", file).map_err(|error| said(file, error))?;
        io::copy(&mut input, &mut hashing).map_err(|error| said(file, error))?;
        while files.len() > 1 && !hashing.size.is_multiple_of(4) {
            hashing.write_all(&[0]).map_err(|error| said(file, error))?;
        }
    }
    Ok(hashing.finish())
}

fn said(file: &Path, error: impl std::fmt::Display) -> String {
    format!("{} cannot be compared: {error}", file.display())
}
