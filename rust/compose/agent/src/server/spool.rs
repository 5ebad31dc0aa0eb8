//! Images and manifests, while they wait to be judged: in files without a name, of the agent's own folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::PathBuf;

use super::room::{NoRoom, Waiting};
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

/// How much is held in memory at once.
const WINDOW: usize = 1 << 18;

impl Spool {
    /// The folder, made if need be.
    pub(super) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        // Here rather than when the first build asks.
        tempfile::tempfile_in(&folder)?;
        Ok(Self(folder))
    }

    /// The next `size` bytes, as a file.
    pub(super) fn receive(
        &self,
        from: &mut dyn Read,
        size: u64,
        waiting: &mut Waiting<'_>,
    ) -> Result<File, NotReceived> {
        let mut file = tempfile::tempfile_in(&self.0).map_err(NotReceived::Disk)?;
        let mut window = vec![0; WINDOW];
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(WINDOW).min(WINDOW);
            let read = match from.read(window.get_mut(..most).unwrap_or_default()) {
                Ok(0) => return Err(NotReceived::Connection(FrameError::Cut)),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(NotReceived::Connection(error.into())),
            };
            waiting.add(read as u64).map_err(NotReceived::NoRoom)?;
            let bytes = window.get(..read).unwrap_or_default();
            file.write_all(bytes).map_err(NotReceived::Disk)?;
            left -= read as u64;
        }
        file.rewind().map_err(NotReceived::Disk)?;
        Ok(file)
    }
}
