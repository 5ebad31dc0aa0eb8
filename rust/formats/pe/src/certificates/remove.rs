//! Taking signatures out of an image again.

use std::io::{Read, Seek, SeekFrom, Write};

use crate::{Image, WriteError, checksum, rules};

use super::{entries, read_table};

/// Which signatures are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The whole certificate table, entries of other types included, whether they can be read or
    /// not.
    All,
    /// The signature at this place, counted from 0 as [`read`](super::read) lists them.
    One(usize),
}

/// Removes signatures in place; returns how many bytes of `file` are left, to which the caller cuts
/// it.
///
/// The other entries keep their bytes and their order. `CheckSum` is cleared. What
/// [`append`](super::append) made of an image whose length is a multiple of 8 and whose `CheckSum`
/// is zero becomes that image again; padding that a signer appended stays. Everything is checked
/// before a byte is written.
///
/// # Errors
/// [`WriteError::NoSuchSignature`]; [`WriteError::Base`] when something stands behind the table, or
/// when one entry is to be found in a table that cannot be read.
pub fn remove<F: Read + Write + Seek + ?Sized>(
    file: &mut F,
    image: &Image,
    which: Removal,
) -> Result<u64, WriteError> {
    let (Some(table), Some(directory)) =
        (image.certificate_table(), image.fields.certificate_entry)
    else {
        return match which {
            Removal::All => Ok(image.len()),
            Removal::One(_) => Err(WriteError::NoSuchSignature { there: 0 }),
        };
    };
    rules::certificate_table_last(&table, image.len()).map_err(WriteError::Base)?;
    let left = match which {
        Removal::All => Vec::new(),
        Removal::One(place) => without(file, image, place)?,
    };
    let end = table.start + left.len() as u64;
    // Smaller than what stood there, which fitted.
    let too_large = |_| WriteError::TooLarge(end);
    let (start, size) = match left.len() {
        0 => (0, 0),
        size => (
            u32::try_from(table.start).map_err(too_large)?,
            u32::try_from(size).map_err(too_large)?,
        ),
    };
    file.seek(SeekFrom::Start(table.start))?;
    file.write_all(&left)?;
    file.seek(SeekFrom::Start(directory))?;
    file.write_all(&start.to_le_bytes())?;
    file.write_all(&size.to_le_bytes())?;
    file.seek(SeekFrom::Start(checksum::place(image)))?;
    file.write_all(&[0; 4])?;
    file.flush()?;
    Ok(end)
}

/// The table without the signature at `place`.
fn without<F: Read + Seek + ?Sized>(
    file: &mut F,
    image: &Image,
    place: usize,
) -> Result<Vec<u8>, WriteError> {
    let table = read_table(image, file).map_err(WriteError::Base)?;
    let entries = entries(&table).map_err(WriteError::Base)?;
    let mut left = Vec::new();
    let mut signatures = 0;
    for entry in &entries {
        let removed = entry.signature.is_some() && signatures == place;
        signatures += usize::from(entry.signature.is_some());
        if !removed {
            left.extend(entry.bytes);
            left.resize(left.len().next_multiple_of(8), 0);
        }
    }
    if place < signatures {
        Ok(left)
    } else {
        Err(WriteError::NoSuchSignature { there: signatures })
    }
}
