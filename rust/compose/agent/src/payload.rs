//! What is to be signed, as the judge reads it: a file, or one that is still coming in.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// An image or a manifest, which several threads may read at once.
pub trait Payload: Sync {
    /// Its size in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    fn size(&self) -> io::Result<u64>;

    /// Reads some bytes at an offset; none at the end. Waits for those that are to come.
    ///
    /// # Errors
    /// When they cannot be read, or will not come.
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize>;
}

impl Payload for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        FileExt::read_at(self, room, at)
    }
}

/// A payload, or a part of it, as parsers read one: from a place on.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    payload: &'a dyn Payload,
    start: u64,
    /// Of a part.
    len: Option<u64>,
    at: u64,
}

impl<'a> Reader<'a> {
    /// At the beginning.
    pub(crate) fn new(payload: &'a dyn Payload) -> Self {
        Self {
            payload,
            start: 0,
            len: None,
            at: 0,
        }
    }

    /// The `len` bytes at `start`, as if there were no others.
    pub(crate) fn part(payload: &'a dyn Payload, start: u64, len: u64) -> Self {
        Self {
            payload,
            start,
            len: Some(len),
            at: 0,
        }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = self.len.unwrap_or(u64::MAX).saturating_sub(self.at);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(room.len());
        let room = room.get_mut(..most).unwrap_or_default();
        let got = self
            .payload
            .read_at(room, self.start.saturating_add(self.at))?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match (to, self.len) {
            (SeekFrom::Start(place), _) => Some(place),
            (SeekFrom::Current(by), _) => self.at.checked_add_signed(by),
            (SeekFrom::End(by), Some(len)) => len.checked_add_signed(by),
            (SeekFrom::End(by), None) => self.payload.size()?.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

/// How many of the blocks that came last are held in memory: whoever reads as fast as they come does not read the file.
const RECENT: usize = 8;

/// A payload that is coming in, block by block, into a file that nobody else can write to.
pub(crate) struct Arriving {
    file: File,
    size: u64,
    state: Mutex<State>,
    more: Condvar,
}

/// Bytes that came in, and the offset of the first.
type Block = (u64, Arc<Vec<u8>>);

#[derive(Default)]
struct State {
    /// How many bytes are there.
    arrived: u64,
    /// The blocks that came last.
    recent: VecDeque<Block>,
    /// Nothing more comes.
    ended: bool,
}

impl Arriving {
    /// Nothing yet of `size` bytes, which `file` will hold.
    pub(crate) fn new(file: File, size: u64) -> Self {
        Self {
            file,
            size,
            state: Mutex::default(),
            more: Condvar::new(),
        }
    }

    /// How many bytes are still to come.
    pub(crate) fn left(&self) -> u64 {
        self.size.saturating_sub(self.state().arrived)
    }

    /// Takes the next bytes, and gives back memory for those behind them.
    ///
    /// # Errors
    /// When the disk does not take them.
    pub(crate) fn take(&self, block: Vec<u8>) -> io::Result<Vec<u8>> {
        let at = self.state().arrived;
        self.file.write_all_at(&block, at)?;
        let mut state = self.state();
        state.arrived = at.saturating_add(block.len() as u64);
        let old = match state.recent.len() < RECENT {
            true => None,
            false => state.recent.pop_front(),
        };
        state.recent.push_back((at, Arc::new(block)));
        self.more.notify_all();
        let spare = old.and_then(|(_, old)| Arc::try_unwrap(old).ok());
        Ok(spare.unwrap_or_default())
    }

    /// Says that nothing more comes: whoever waits for more is told so.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        state.recent.clear();
        self.more.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the byte at an offset. The block that has it, if that is still held, and how many bytes are there.
    fn wait_for(&self, at: u64) -> io::Result<(Option<Block>, u64)> {
        let mut state = self.state();
        while state.arrived <= at {
            if state.ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let woken = self.more.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let held = state.recent.iter().rev().find(|(from, _)| *from <= at);
        Ok((held.cloned(), state.arrived))
    }
}

impl Payload for Arriving {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.size || room.is_empty() {
            return Ok(0);
        }
        let (held, arrived) = self.wait_for(at)?;
        if let Some((from, block)) = held {
            let behind = usize::try_from(at - from).unwrap_or(usize::MAX);
            return block.get(behind..).unwrap_or_default().read(room);
        }
        let there = usize::try_from(arrived - at).unwrap_or(usize::MAX);
        let most = room.len().min(there);
        FileExt::read_at(&self.file, room.get_mut(..most).unwrap_or_default(), at)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// So many bytes that each place can be told from others.
    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
    }

    #[test]
    fn whoever_reads_waits_for_what_comes() {
        let whole = bytes(1_000_000);
        let arriving = Arriving::new(tempfile::tempfile().unwrap(), whole.len() as u64);
        thread::scope(|scope| {
            let readers: Vec<_> = [1, 4096, 70_000]
                .map(|chunk| {
                    let arriving = &arriving;
                    scope.spawn(move || {
                        let (mut read, mut room) = (Vec::new(), vec![0; chunk]);
                        let mut reader = Reader::new(arriving);
                        while let got @ 1.. = reader.read(&mut room).unwrap() {
                            read.extend_from_slice(&room[..got]);
                        }
                        read
                    })
                })
                .into();
            for block in whole.chunks(3001) {
                arriving.take(block.to_vec()).unwrap();
            }
            for reader in readers {
                assert!(reader.join().unwrap() == whole);
            }
        });
        arriving.end();
        let mut behind = vec![0; 10];
        let mut reader = Reader::new(&arriving);
        reader.seek(SeekFrom::End(-10)).unwrap();
        reader.read_exact(&mut behind).unwrap();
        assert_eq!(behind, whole[whole.len() - 10..]);
        assert_eq!(reader.read(&mut behind).unwrap(), 0);
        let (mut part, mut read) = (Reader::part(&arriving, 5, 20), Vec::new());
        part.read_to_end(&mut read).unwrap();
        assert_eq!(read, whole[5..25]);
        assert_eq!(part.seek(SeekFrom::End(-1)).unwrap(), 19);
        assert_eq!(part.read(&mut behind).unwrap(), 1);
    }

    #[test]
    fn whoever_waits_for_what_does_not_come_is_told() {
        let arriving = Arriving::new(tempfile::tempfile().unwrap(), 100);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut whole = Vec::new();
                Reader::new(&arriving).read_to_end(&mut whole)
            });
            arriving.take(bytes(60)).unwrap();
            arriving.end();
            let error = reader.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        });
        let mut room = [0; 100];
        assert_eq!(arriving.read_at(&mut room, 0).unwrap(), 60);
        assert_eq!(room[..60], bytes(60));
    }
}
