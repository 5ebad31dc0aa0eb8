//! Images and manifests, while they wait to be judged: in files without a name, of the agent's own folder.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use super::room::{NoRoom, Waiting};
use crate::payload::Arriving;
use crate::protocol::FrameError;

/// Why a payload has not arrived.
#[derive(Debug)]
pub(super) enum NotReceived {
    /// The connection ended, or it took too long.
    Connection(FrameError),
    /// There is no room for it.
    NoRoom(NoRoom),
    /// The disk takes no more.
    Disk(io::Error),
}

/// The folder.
pub(super) struct Spool(PathBuf);

/// How many bytes are received at once.
pub(super) const BLOCK: usize = 1 << 18;

impl Spool {
    /// The folder, made if need be.
    pub(super) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        // Here rather than when the first build asks.
        tempfile::tempfile_in(&folder)?;
        Ok(Self(folder))
    }

    /// Room for a payload of `size` bytes.
    ///
    /// # Errors
    /// When the disk has none.
    pub(super) fn payload(&self, size: u64) -> io::Result<Arriving> {
        Ok(Arriving::new(tempfile::tempfile_in(&self.0)?, size))
    }
}

/// Receives a payload to its end.
///
/// # Errors
/// [`NotReceived`]; whoever waits for more of the payload is told so.
pub(super) fn receive(
    payload: &Arriving,
    from: &mut dyn Read,
    waiting: &mut Waiting<'_>,
) -> Result<(), NotReceived> {
    let received = blocks(payload, from, waiting);
    payload.end();
    received
}

/// Reads a payload that nobody wants.
///
/// # Errors
/// [`NotReceived::Connection`].
pub(super) fn pass_over(size: u64, from: &mut dyn Read) -> Result<(), NotReceived> {
    let mut from = BufReader::with_capacity(BLOCK, from.take(size));
    match io::copy(&mut from, &mut io::sink()) {
        Ok(got) if got == size => Ok(()),
        Ok(_) => Err(NotReceived::Connection(FrameError::Cut)),
        Err(error) => Err(broken(error)),
    }
}

fn broken(error: io::Error) -> NotReceived {
    // `FrameError` knows an end that comes too early.
    NotReceived::Connection(error.into())
}

fn blocks(
    payload: &Arriving,
    from: &mut dyn Read,
    waiting: &mut Waiting<'_>,
) -> Result<(), NotReceived> {
    let mut block = Vec::new();
    while let left @ 1.. = payload.left() {
        let size = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
        block.resize(size, 0);
        // As much as is there: the judge begins with the headers, and the rest may still have to be written.
        let size = match from.read(&mut block) {
            Ok(0) => return Err(NotReceived::Connection(FrameError::Cut)),
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error)),
        };
        block.truncate(size);
        waiting.add(size as u64).map_err(NotReceived::NoRoom)?;
        block = payload.take(block).map_err(NotReceived::Disk)?;
    }
    Ok(())
}
