//! A payload that is still coming in.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Payload;

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

    /// Says that nothing more comes, or that nobody reads it: whoever waits for more is told so.
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

    fn give_up(&self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom};
    use std::thread;

    use super::super::Reader;
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
