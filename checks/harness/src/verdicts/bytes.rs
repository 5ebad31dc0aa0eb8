//! An image's bytes, and what is done to them. Source: "PE Format" of Microsoft, for PE32+.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256, Sha384};

/// The file of an EFI program, as `EfiProgram` lays it out: headers, sections, certificate table.
#[derive(Debug, Clone)]
pub struct Image(pub Vec<u8>);

/// Where the PE signature stands.
const PE: usize = 0x40;
/// The header's `CheckSum`.
pub(super) const CHECKSUM: usize = PE + 24 + 64;
/// The data directory entry of the certificate table: place and size.
const DIRECTORY: usize = PE + 24 + 112 + 4 * 8;
/// The second section's `PointerToRawData`.
pub(super) const SECOND_POINTER: usize = PE + 24 + 240 + 40 + 20;
/// The COFF header's `TimeDateStamp`, which is hashed and means nothing.
pub(super) const TIME: usize = PE + 8;

impl Image {
    fn number(&self, at: usize) -> Result<usize> {
        let bytes = self.0.get(at..).and_then(<[u8]>::first_chunk::<4>);
        let bytes = bytes.context("the image ends within its headers")?;
        Ok(usize::try_from(u32::from_le_bytes(*bytes))?)
    }

    /// Overwrites bytes.
    pub(super) fn put(mut self, at: usize, bytes: &[u8]) -> Result<Image> {
        let end = at + bytes.len();
        let place = self.0.get_mut(at..end);
        place
            .context("outside of the image")?
            .copy_from_slice(bytes);
        Ok(self)
    }

    /// Changes a bit.
    pub(super) fn flip(self, at: usize) -> Result<Image> {
        let byte = *self.0.get(at).context("outside of the image")?;
        self.put(at, &[byte ^ 1])
    }

    /// Where the certificate table begins.
    pub(super) fn table(&self) -> Result<usize> {
        self.number(DIRECTORY)
    }

    /// The image without its certificate table, and the table.
    pub(super) fn split(&self) -> Result<(Image, Vec<u8>)> {
        let start = self.table()?;
        let (image, table) = self
            .0
            .split_at_checked(start)
            .context("the table is outside")?;
        Ok((
            Image(image.to_vec()).put(DIRECTORY, &[0; 8])?,
            table.to_vec(),
        ))
    }

    /// The unsigned image with this certificate table.
    pub(super) fn with_table(self, table: &[u8]) -> Result<Image> {
        let start = u32::try_from(self.0.len())?;
        let entry = [
            start.to_le_bytes(),
            u32::try_from(table.len())?.to_le_bytes(),
        ];
        let mut image = self.put(DIRECTORY, &entry.concat())?;
        image.0.extend(table);
        Ok(image)
    }

    /// The same with another size in the data directory: what stands in the file stays.
    pub(super) fn with_table_size(self, size: usize) -> Result<Image> {
        self.put(DIRECTORY + 4, &u32::try_from(size)?.to_le_bytes())
    }

    /// What the Authenticode digest is over: all but `CheckSum`, the table's directory entry and the table.
    pub(super) fn hashed(&self) -> Result<Vec<u8>> {
        let end = match self.table()? {
            0 => self.0.len(),
            start => start,
        };
        let ranges = [0..CHECKSUM, CHECKSUM + 4..DIRECTORY, DIRECTORY + 8..end];
        let parts = ranges.into_iter().map(|range| self.0.get(range));
        let parts: Option<Vec<&[u8]>> = parts.collect();
        Ok(parts.context("the image is too short")?.concat())
    }

    /// Authenticode SHA-256, without padding.
    ///
    /// # Errors
    /// When the image is too short.
    pub fn sha256(&self) -> Result<Vec<u8>> {
        Ok(Sha256::digest(self.hashed()?).to_vec())
    }

    /// Authenticode SHA-384, without padding.
    ///
    /// # Errors
    /// When the image is too short.
    pub fn sha384(&self) -> Result<Vec<u8>> {
        Ok(Sha384::digest(self.hashed()?).to_vec())
    }
}

/// An entry of the certificate table: `WIN_CERTIFICATE` of this type, padded to 8 bytes.
pub(super) fn entry(kind: u16, data: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(data.len() + 8)?;
    let mut entry = length.to_le_bytes().to_vec();
    entry.extend(0x0200_u16.to_le_bytes());
    entry.extend(kind.to_le_bytes());
    entry.extend(data);
    entry.resize(entry.len().next_multiple_of(8), 0);
    Ok(entry)
}

/// The data of the first entry of a certificate table.
pub(super) fn first_data(table: &[u8]) -> Result<Vec<u8>> {
    let length = table
        .first_chunk::<4>()
        .context("the certificate table is empty")?;
    let length = usize::try_from(u32::from_le_bytes(*length))?;
    Ok(table
        .get(8..length)
        .context("the entry is cut off")?
        .to_vec())
}
