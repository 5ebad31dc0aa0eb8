//! Size and digest of what files hold: never in memory as a whole.

use std::io::{self, BufReader, Read, Write};

use sha2::{Digest as _, Sha256};

/// Size in bytes and SHA-256 in hex.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

impl Content {
    /// What a reader gives, to its end.
    ///
    /// # Errors
    /// Those of reading.
    pub(crate) fn of(reader: &mut impl Read) -> io::Result<Content> {
        let mut hashing = Hashing::default();
        io::copy(
            &mut BufReader::with_capacity(touchstone_pe::CHUNK, reader),
            &mut hashing,
        )?;
        Ok(hashing.finish())
    }
}

impl Default for Content {
    /// No bytes.
    fn default() -> Self {
        Hashing::default().finish()
    }
}

/// Counts and hashes what is written to it.
#[derive(Default)]
pub(crate) struct Hashing {
    hasher: Sha256,
    size: u64,
}

impl Hashing {
    /// Bytes so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// What was written.
    pub(crate) fn finish(self) -> Content {
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
