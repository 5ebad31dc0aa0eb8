//! The program that an ELF file asks to be started by: its `PT_INTERP`, the dynamic loader.
//!
//! Source: System V ABI (gABI), "Program Header"; Linux, `fs/binfmt_elf.c`.

use std::io::{self, Read, Seek, SeekFrom};

/// What every ELF file begins with.
pub(super) const MAGIC: &[u8] = b"\x7fELF";
/// `p_type` of the loader's name.
const PT_INTERP: u32 = 3;
/// Linux reads no longer name than PATH_MAX.
const NAME_MAX: u64 = 4096;
/// Linux refuses more bytes of program headers.
const HEADERS_MAX: usize = 1 << 16;
/// The longest file header, of 64 bits.
const HEADER: usize = 64;

/// Fields by width: their places in the headers.
struct Layout {
    wide: bool,
    big_endian: bool,
}

/// The dynamic loader that the file names, if it is an ELF file that names one. What Linux would refuse to start names none.
///
/// # Errors
/// Those of reading.
pub(super) fn loader(file: &mut (impl Read + Seek)) -> io::Result<Option<String>> {
    let header = bytes(file, 0, HEADER)?;
    let Some(layout) = Layout::of(&header) else {
        return Ok(None);
    };
    let Some((place, size, count)) = layout.program_headers(&header) else {
        return Ok(None);
    };
    let headers = bytes(file, place, size * count)?;
    let mut headers = headers.chunks_exact(size);
    let Some((place, length)) = headers.find_map(|header| layout.interp(header)) else {
        return Ok(None);
    };
    if !(2..=NAME_MAX).contains(&length) {
        return Ok(None);
    }
    let name = bytes(file, place, usize::try_from(length).unwrap_or_default())?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Some(String::from_utf8_lossy(name).into_owned()))
}

impl Layout {
    fn of(header: &[u8]) -> Option<Layout> {
        let [class, data, ..] = header.strip_prefix(MAGIC)? else {
            return None;
        };
        Some(Layout {
            wide: match class {
                1 => false,
                2 => true,
                _ => return None,
            },
            big_endian: match data {
                1 => false,
                2 => true,
                _ => return None,
            },
        })
    }

    /// Where the program headers are, how long one is, and how many there are.
    fn program_headers(&self, header: &[u8]) -> Option<(u64, usize, usize)> {
        let (place, size, count, least) = match self.wide {
            true => (32, 54, 56, 56),
            false => (28, 42, 44, 32),
        };
        let place = self.address(header, place)?;
        let size = usize::from(self.half(header, size)?);
        let count = usize::from(self.half(header, count)?);
        let fits = size >= least && size.checked_mul(count)? <= HEADERS_MAX;
        fits.then_some((place, size, count))
    }

    /// Where the loader's name is and how long, in bytes, if this program header says so.
    fn interp(&self, header: &[u8]) -> Option<(u64, u64)> {
        let (place, length) = match self.wide {
            true => (8, 32),
            false => (4, 16),
        };
        let kind = self.word(header, 0)?;
        let found = (self.address(header, place)?, self.address(header, length)?);
        (kind == PT_INTERP).then_some(found)
    }

    fn half(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = *bytes.get(at..)?.first_chunk()?;
        Some(match self.big_endian {
            true => u16::from_be_bytes(field),
            false => u16::from_le_bytes(field),
        })
    }

    fn word(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = *bytes.get(at..)?.first_chunk()?;
        Some(match self.big_endian {
            true => u32::from_be_bytes(field),
            false => u32::from_le_bytes(field),
        })
    }

    fn address(&self, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.wide {
            return self.word(bytes, at).map(u64::from);
        }
        let field = *bytes.get(at..)?.first_chunk()?;
        Some(match self.big_endian {
            true => u64::from_be_bytes(field),
            false => u64::from_le_bytes(field),
        })
    }
}

/// So many bytes at a place, or as many as there are.
fn bytes(file: &mut (impl Read + Seek), place: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // Further than a file can reach: there is nothing.
    if i64::try_from(place).is_ok() {
        file.seek(SeekFrom::Start(place))?;
        file.take(length as u64).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
