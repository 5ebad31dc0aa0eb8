//! A NAR on its way out: gathered in one buffer, so that small pieces cost nothing and files are read to where they are hashed.

use std::io::{self, Write};

use rustix::fd::AsFd;
use rustix::io::Errno;

/// Bytes that are handed on at once: few enough to stay in the processor's second cache until they are hashed.
const BUFFER: usize = 128 * 1024;
/// Least room that a large file is read into.
const ROOM: usize = 32 * 1024;

/// The memory of an [`Out`]: whoever hashes many paths one after the other takes the same again.
pub(super) struct Buffer(Box<[u8]>);

impl Buffer {
    pub(super) fn new() -> Self {
        Self(vec![0; BUFFER].into())
    }
}

/// Why a file's bytes did not get out.
pub(super) enum Failed {
    /// It cannot be read.
    Read(Errno),
    /// It has not the length that it had when it was opened.
    Changed,
    /// They cannot be handed on.
    Write(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// Takes a NAR's pieces and hands them on in large ones.
pub(super) struct Out<'a, W> {
    to: &'a mut W,
    buffer: &'a mut [u8],
    filled: usize,
    written: u64,
}

impl<'a, W: Write> Out<'a, W> {
    pub(super) fn new(to: &'a mut W, buffer: &'a mut Buffer) -> Self {
        Self {
            to,
            buffer: &mut buffer.0,
            filled: 0,
            written: 0,
        }
    }

    /// Hands on what is left; the answer is how many bytes there were in all.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.hand_on()?;
        Ok(self.written)
    }

    pub(super) fn raw(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.room().is_empty() {
                self.hand_on()?;
            }
            let room = self.room();
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at_checked(count).unwrap_or_default();
            if let Some(room) = room.get_mut(..count) {
                room.copy_from_slice(now);
            }
            self.filled += count;
            bytes = later;
        }
        Ok(())
    }

    /// Reads exactly `length` bytes of a file; one that ends sooner or later has changed.
    pub(super) fn file(&mut self, file: impl AsFd, length: u64) -> Result<(), Failed> {
        let mut left = length;
        loop {
            let wanted = usize::try_from(left).unwrap_or(ROOM).min(ROOM);
            if self.room().len() <= wanted {
                self.hand_on()?;
            }
            let room = self.room();
            let asked = room.len();
            let count = match rustix::io::read(&file, room) {
                Err(Errno::INTR) => continue,
                other => other.map_err(Failed::Read)?,
            };
            left = left.checked_sub(count as u64).ok_or(Failed::Changed)?;
            self.filled += count;
            // Less than was asked for is the end of the file: no second read of nothing is needed, of which a store would cost many.
            if count == 0 || (left == 0 && count < asked) {
                break;
            }
        }
        match left {
            0 => Ok(()),
            _ => Err(Failed::Changed),
        }
    }

    fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    fn hand_on(&mut self) -> io::Result<()> {
        let bytes = self.buffer.get(..self.filled).unwrap_or_default();
        self.to.write_all(bytes)?;
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }
}
