//! Frames: a header of JSON, and the payload behind it.

use std::io::{self, ErrorKind, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::HEADER_LIMIT;

/// The header of a frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Frame<T> {
    /// The client's number of the request; its answer has the same.
    pub id: u64,
    /// How many bytes of payload follow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// The request or the answer.
    pub message: T,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(size: &u64) -> bool {
    *size == 0
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The connection failed, or did not go on in time.
    #[error("the connection failed: {0}")]
    Connection(#[source] io::Error),
    /// It ended inside of a frame.
    #[error("the connection ended in the middle of a message")]
    Cut,
    /// The header has too many bytes, or none.
    #[error("a header of {0} bytes is announced; it has 1 to {HEADER_LIMIT}")]
    HeaderSize(usize),
    /// The payload has too many bytes.
    #[error("a payload of {size} bytes is announced; here it has at most {limit}")]
    PayloadSize {
        /// How many.
        size: u64,
        /// How many it may have.
        limit: u64,
    },
    /// An answer has the number of another request.
    #[error("the answer is that of request {id}, not of {expected}")]
    OtherId {
        /// The answer's.
        id: u64,
        /// The request's.
        expected: u64,
    },
    /// The header is no such message.
    #[error("the header is not understood: {0}")]
    Malformed(#[source] serde_json::Error),
}

impl FrameError {
    /// A stable name of what is wrong, for refusals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connection(_) | Self::Cut => "protocol.connection",
            Self::HeaderSize(_) | Self::PayloadSize { .. } => "protocol.too-large",
            Self::OtherId { .. } | Self::Malformed(_) => "protocol.malformed",
        }
    }
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Cut,
            _ => Self::Connection(error),
        }
    }
}

/// Reads a frame's header; none where the connection ends in front of it. The payload is next.
///
/// # Errors
/// [`FrameError`]. Where the next frame begins is not known then: the connection is of no more use.
pub fn read<T: DeserializeOwned>(from: &mut dyn Read) -> Result<Option<Frame<T>>, FrameError> {
    let Some(length) = read_length(from)? else {
        return Ok(None);
    };
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if !(1..=HEADER_LIMIT).contains(&size) {
        return Err(FrameError::HeaderSize(size));
    }
    let mut header = vec![0; size];
    from.read_exact(&mut header)?;
    serde_json::from_slice(&header)
        .map(Some)
        .map_err(FrameError::Malformed)
}

/// The four bytes in front of a header; none at the end of the connection.
fn read_length(from: &mut dyn Read) -> Result<Option<u32>, FrameError> {
    let mut length = [0; 4];
    let mut first = from.take(1);
    let mut begun = Vec::with_capacity(1);
    if first.read_to_end(&mut begun)? == 0 {
        return Ok(None);
    }
    let [first, rest @ ..] = &mut length;
    *first = begun.first().copied().unwrap_or_default();
    from.read_exact(rest)?;
    Ok(Some(u32::from_be_bytes(length)))
}

/// Writes a frame's header. The caller writes the payload behind it, of `frame.size` bytes.
///
/// # Errors
/// [`FrameError::Connection`], and [`FrameError::HeaderSize`] before anything is written.
pub fn write<T: Serialize>(to: &mut dyn Write, frame: &Frame<T>) -> Result<(), FrameError> {
    let header = serde_json::to_vec(frame).map_err(FrameError::Malformed)?;
    let length = u32::try_from(header.len()).ok();
    let length = length.filter(|_| header.len() <= HEADER_LIMIT);
    let length = length.ok_or(FrameError::HeaderSize(header.len()))?;
    // In one piece: what waits for it wakes once.
    let bytes = [&length.to_be_bytes(), header.as_slice()].concat();
    to.write_all(&bytes)?;
    Ok(())
}

/// Reads a payload that is small enough to be held: `size` bytes, at most `limit`. Memory grows with what arrives, not with what is announced.
///
/// # Errors
/// [`FrameError::PayloadSize`], [`FrameError::Cut`], [`FrameError::Connection`].
pub fn read_payload(from: &mut dyn Read, size: u64, limit: u64) -> Result<Vec<u8>, FrameError> {
    if size > limit {
        return Err(FrameError::PayloadSize { size, limit });
    }
    let mut payload = Vec::new();
    let read = from.take(size).read_to_end(&mut payload)?;
    match read as u64 == size {
        true => Ok(payload),
        false => Err(FrameError::Cut),
    }
}
