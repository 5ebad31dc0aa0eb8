//! Reading in bounded chunks.

use std::io::{self, Read, Seek, SeekFrom};

use crate::ReadError;

/// How many bytes are held at once while an image passes: 256 KiB.
pub const CHUNK: usize = 256 * 1024;

/// Reads exactly `len` bytes at `offset`. `what` names them if the file ends before.
/// The caller bounds `len`.
pub(crate) fn read_at<S: Read + Seek + ?Sized>(
    source: &mut S,
    offset: u64,
    len: usize,
    what: &'static str,
) -> Result<Vec<u8>, ReadError> {
    source.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; len];
    source
        .read_exact(&mut bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Truncated(what),
            _ => ReadError::Io(error),
        })?;
    Ok(bytes)
}

/// Reads up to a chunk, no more than `left` bytes; empty at the end of the source.
pub(crate) fn read_chunk<'b, R: Read + ?Sized>(
    source: &mut R,
    buffer: &'b mut [u8],
    left: u64,
) -> io::Result<&'b [u8]> {
    let want = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    let room = buffer.get_mut(..want).unwrap_or_default();
    loop {
        match source.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(got) => return Ok(buffer.get(..got).unwrap_or_default()),
        }
    }
}

/// Calls `each` with the bytes at `offset`, `len` of them, chunk by chunk.
pub(crate) fn stream<S: Read + Seek + ?Sized>(
    source: &mut S,
    offset: u64,
    len: u64,
    what: &'static str,
    mut each: impl FnMut(&[u8]),
) -> Result<(), ReadError> {
    source.seek(SeekFrom::Start(offset))?;
    let mut buffer = buffer(len);
    let mut left = len;
    while left > 0 {
        let bytes = read_chunk(source, &mut buffer, left)?;
        if bytes.is_empty() {
            return Err(ReadError::Truncated(what));
        }
        each(bytes);
        left = left.saturating_sub(bytes.len() as u64);
    }
    Ok(())
}

/// Calls `each` with zeros, `len` of them, chunk by chunk.
pub(crate) fn zeros(len: u64, mut each: impl FnMut(&[u8])) {
    let buffer = buffer(len);
    let mut left = len;
    while left > 0 {
        let now = left.min(buffer.len() as u64);
        each(
            buffer
                .get(..usize::try_from(now).unwrap_or(0))
                .unwrap_or_default(),
        );
        left -= now;
    }
}

/// A zeroed buffer for `len` bytes, at most one chunk.
pub(crate) fn buffer(len: u64) -> Vec<u8> {
    vec![0; usize::try_from(len).unwrap_or(CHUNK).min(CHUNK)]
}

/// `value` rounded up to a multiple of `alignment`, which is not zero.
pub(crate) fn align_up(value: u64, alignment: u64) -> Option<u64> {
    value.checked_next_multiple_of(alignment)
}
