//! The `CheckSum` of the optional header: of the whole file, signatures included.
//!
//! Source: no specification; what `IMAGHELP.DLL` and the kernel's own `tools/build.c` compute, and
//! `pefile`'s `generate_checksum` repeats: the 16-bit words of the file (but the field's own) are
//! added with their carries wrapped around, then the file's length in bytes is added. UEFI firmware
//! ignores it; some kernels carry it.

use std::io::{Read, Seek, SeekFrom, Write};

use crate::header::CHECKSUM;
use crate::io::stream;
use crate::{Image, ReadError, WriteError};

/// Adds up bytes that come in any portions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sum {
    /// Wrapped to 16 bits at the end only: no file is long enough to overflow it.
    words: u64,
    len: u64,
}

impl Sum {
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if let ([high, tail @ ..], false) = (rest, self.len.is_multiple_of(2)) {
            self.words += u64::from(*high) << 8;
            rest = tail;
        }
        let (words, odd) = rest.as_chunks::<2>();
        self.words += words
            .iter()
            .map(|word| u64::from(u16::from_le_bytes(*word)))
            .sum::<u64>();
        self.words += odd.iter().copied().map(u64::from).sum::<u64>();
        self.len += bytes.len() as u64;
    }

    /// What belongs into the field; the bytes of a file's own field count as zeros.
    pub fn finish(&self) -> u32 {
        let mut sum = self.words;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        // A file has at most 4 GiB; the sum wraps as the 32-bit field does.
        (sum + self.len) as u32
    }
}

/// Where the field lies in the file of `image`.
pub(crate) fn place(image: &Image) -> u64 {
    image.fields.optional_offset + CHECKSUM
}

/// The `CheckSum` that `image`, whose bytes are `source`, ought to have; see [`Image::checksum`]
/// for the one that it has. Reads the file once.
pub fn compute<S: Read + Seek + ?Sized>(image: &Image, source: &mut S) -> Result<u32, ReadError> {
    let mut sum = Sum::default();
    let field = place(image);
    let (behind, what) = (field + 4, "the image");
    stream(source, 0, field, what, |bytes| sum.update(bytes))?;
    sum.update(&[0; 4]);
    let rest = image.len() - behind;
    stream(source, behind, rest, what, |bytes| sum.update(bytes))?;
    Ok(sum.finish())
}

/// Writes the `CheckSum` that `image`, whose bytes are `file`, ought to have; returns the image as
/// it is then.
pub fn write<F: Read + Write + Seek + ?Sized>(
    image: &Image,
    file: &mut F,
) -> Result<Image, WriteError> {
    let sum = compute(image, file).map_err(WriteError::Base)?;
    file.seek(SeekFrom::Start(place(image)))?;
    file.write_all(&sum.to_le_bytes())?;
    file.flush()?;
    Image::read(file).map_err(WriteError::Base)
}
