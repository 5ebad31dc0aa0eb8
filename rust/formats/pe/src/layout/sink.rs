//! Where the bytes of a new image go: into the Authenticode digest and into the file.
//!
//! Whoever reads the contents and shows them to observers hands each block over. For all but small
//! images a second thread hashes and writes the block while the next one is read: so that the two
//! digests of an image with a measured UKI inside take the time of one. What is written does not
//! depend on it.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use sha2::{Digest, Sha256};

use crate::checksum::Sum;
use crate::io::{CHUNK, read_chunk, zeros};

/// How many blocks there are: one is filled, one is hashed and written, the others wait between.
const BLOCKS: usize = 4;

/// Images below this size are written by the calling thread alone: starting another takes longer.
const WORTH_A_THREAD: u64 = 2 * CHUNK as u64;

/// What is computed of the bytes of a new image as they pass.
pub(super) struct Sums {
    digest: Sha256,
    checksum: Option<Sum>,
}

impl Sums {
    pub(super) fn new(checksum: bool) -> Self {
        Self {
            digest: Sha256::new(),
            checksum: checksum.then(Sum::default),
        }
    }

    /// Takes the headers, whose `CheckSum` is zero; `hashed` is what counts for the digest.
    pub(super) fn headers(&mut self, bytes: &[u8], hashed: Vec<Range<u64>>) {
        for range in hashed {
            let part = bytes.get(range.start as usize..range.end as usize);
            self.digest.update(part.unwrap_or_default());
        }
        if let Some(sum) = &mut self.checksum {
            sum.update(bytes);
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        if let Some(sum) = &mut self.checksum {
            sum.update(bytes);
        }
    }

    /// The `CheckSum`, if it was asked for.
    pub(super) fn checksum(&self) -> Option<u32> {
        self.checksum.as_ref().map(Sum::finish)
    }

    /// The Authenticode digest of the bytes and `padding` zeros.
    pub(super) fn digest(mut self, padding: u64) -> [u8; 32] {
        zeros(padding, |bytes| self.digest.update(bytes));
        self.digest.finalize().into()
    }
}

/// Bytes on their way: the first `len` of `room`.
pub(super) struct Block {
    pub room: Vec<u8>,
    pub len: usize,
}

impl Block {
    fn new() -> Block {
        Block {
            room: vec![0; CHUNK],
            len: 0,
        }
    }

    /// Reads up to `left` bytes into it; it is full, or `left` are read, or `source` is at its end.
    pub(super) fn fill<R: Read + ?Sized>(&mut self, source: &mut R, left: u64) -> io::Result<()> {
        self.len = 0;
        let mut left = left;
        loop {
            let room = self.room.get_mut(self.len..).unwrap_or_default();
            let got = read_chunk(source, room, left)?.len();
            self.len += got;
            left = left.saturating_sub(got as u64);
            if got == 0 {
                return Ok(());
            }
        }
    }

    /// The bytes that are in.
    pub(super) fn bytes(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

/// Takes blocks, in order.
pub(super) trait Sink {
    /// A block to be filled.
    fn block(&mut self) -> Result<Block, Stopped>;
    /// Hashes and writes it, now or soon.
    fn put(&mut self, block: Block) -> Result<(), Stopped>;
}

/// Writing failed, maybe some blocks ago; [`pass`] returns why.
#[derive(Debug)]
pub(super) struct Stopped;

/// Why [`pass`] ended early.
pub(super) enum Failed<E> {
    /// The filling side failed.
    Filling(E),
    /// Writing failed.
    Writing(io::Error),
}

/// Gives `fill` a sink of which every byte goes through `sums` into `out`; `len` is about how many
/// there will be. Returns once all are written.
pub(super) fn pass<W, E, F>(
    len: u64,
    sums: &mut Sums,
    out: &mut W,
    fill: F,
) -> Result<(), Failed<E>>
where
    W: Write + Send + ?Sized,
    F: FnOnce(&mut dyn Sink) -> Result<(), FillError<E>>,
{
    let fill = if len < WORTH_A_THREAD {
        fill
    } else {
        match on_two_threads(sums, out, fill) {
            Ok(result) => return result,
            // No thread is to be had: then without.
            Err(fill) => fill,
        }
    };
    let mut alone = Alone {
        drain: Drain { sums, out },
        block: None,
        error: None,
    };
    let filled = fill(&mut alone);
    conclude(filled, alone.error.map_or(Ok(()), Err))
}

/// Why a `fill` ended early.
pub(super) enum FillError<E> {
    /// Its own reason.
    Own(E),
    /// The sink stopped.
    Stopped,
}

impl<E> From<Stopped> for FillError<E> {
    fn from(_: Stopped) -> Self {
        FillError::Stopped
    }
}

fn conclude<E>(filled: Result<(), FillError<E>>, written: io::Result<()>) -> Result<(), Failed<E>> {
    match (filled, written) {
        (Err(FillError::Own(error)), _) => Err(Failed::Filling(error)),
        (_, Err(error)) => Err(Failed::Writing(error)),
        (Err(FillError::Stopped), Ok(())) => {
            Err(Failed::Writing(io::Error::other("writing ended early")))
        }
        (Ok(()), Ok(())) => Ok(()),
    }
}

/// The end of the way.
struct Drain<'d, W: Write + ?Sized> {
    sums: &'d mut Sums,
    out: &'d mut W,
}

impl<W: Write + ?Sized> Drain<'_, W> {
    fn take(&mut self, block: &Block) -> io::Result<()> {
        self.sums.update(block.bytes());
        self.out.write_all(block.bytes())
    }
}

/// Hashes and writes at once.
struct Alone<'d, W: Write + ?Sized> {
    drain: Drain<'d, W>,
    block: Option<Block>,
    error: Option<io::Error>,
}

impl<W: Write + ?Sized> Sink for Alone<'_, W> {
    fn block(&mut self) -> Result<Block, Stopped> {
        Ok(self.block.take().unwrap_or_else(Block::new))
    }

    fn put(&mut self, block: Block) -> Result<(), Stopped> {
        let taken = self.drain.take(&block);
        self.block = Some(block);
        taken.map_err(|error| {
            self.error = Some(error);
            Stopped
        })
    }
}

/// Hands blocks to the thread that hashes and writes, and gets them back.
struct Relay {
    full: Sender<Block>,
    empty: Receiver<Block>,
    /// How many blocks were made so far.
    made: usize,
}

impl Sink for Relay {
    fn block(&mut self) -> Result<Block, Stopped> {
        if let Ok(block) = self.empty.try_recv() {
            return Ok(block);
        }
        if self.made < BLOCKS {
            self.made += 1;
            return Ok(Block::new());
        }
        self.empty.recv().map_err(|_| Stopped)
    }

    fn put(&mut self, block: Block) -> Result<(), Stopped> {
        self.full.send(block).map_err(|_| Stopped)
    }
}

/// Runs `fill` here and the drain on another thread; gives `fill` back if none can be started.
fn on_two_threads<W, E, F>(
    sums: &mut Sums,
    out: &mut W,
    fill: F,
) -> Result<Result<(), Failed<E>>, F>
where
    W: Write + Send + ?Sized,
    F: FnOnce(&mut dyn Sink) -> Result<(), FillError<E>>,
{
    let (full, filled_blocks) = channel::<Block>();
    let (emptied, empty) = channel();
    let mut drain = Drain { sums, out };
    let drain_all = move || -> io::Result<()> {
        for block in filled_blocks {
            drain.take(&block)?;
            // Nobody waits for the last blocks.
            let _ = emptied.send(block);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let Ok(thread) = thread::Builder::new().spawn_scoped(scope, drain_all) else {
            return Err(fill);
        };
        let mut relay = Relay {
            full,
            empty,
            made: 0,
        };
        let filled = fill(&mut relay);
        // Its end is what ends the other thread.
        drop(relay);
        let written = thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(conclude(filled, written))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails once it has taken `room` bytes.
    struct Small {
        taken: Vec<u8>,
        room: usize,
    }

    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.taken.len() + bytes.len() > self.room {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Passes twenty blocks, said to be `len` bytes, into a file with `room`; stops by itself behind `blocks`.
    fn passed(len: u64, room: usize, blocks: u8) -> (Result<(), Failed<()>>, Vec<u8>, Vec<u8>) {
        let mut out = Small {
            taken: Vec::new(),
            room,
        };
        let mut sums = Sums::new(false);
        let result = pass(len, &mut sums, &mut out, |sink| {
            for number in 0..20 {
                if number == blocks {
                    return Err(FillError::Own(()));
                }
                let mut block = sink.block()?;
                let bytes = vec![number; CHUNK - usize::from(number)];
                let left = bytes.len() as u64;
                block
                    .fill(&mut bytes.as_slice(), left)
                    .map_err(|_| FillError::Own(()))?;
                sink.put(block)?;
            }
            Ok(())
        });
        (result, out.taken, sums.digest(0).to_vec())
    }

    const ALONE: u64 = 0;
    const ON_TWO_THREADS: u64 = u64::MAX;

    #[test]
    fn one_thread_and_two_write_and_hash_the_same() {
        let (first, alone, digest) = passed(ALONE, usize::MAX, 99);
        let (second, together, same) = passed(ON_TWO_THREADS, usize::MAX, 99);
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(alone.len(), 20 * CHUNK - 190);
        assert!(alone == together && digest == same);
        assert_eq!(digest, Sha256::digest(&alone).to_vec());
    }

    #[test]
    fn a_full_disk_ends_both() {
        for len in [ALONE, ON_TWO_THREADS] {
            let (result, taken, _) = passed(len, 5 * CHUNK, 99);
            let full = matches!(&result, Err(Failed::Writing(error)) if error.kind() == io::ErrorKind::StorageFull);
            assert!(full);
            assert!(taken.len() <= 5 * CHUNK);
        }
    }

    #[test]
    fn what_was_read_before_a_failure_is_written_and_the_failure_told() {
        for len in [ALONE, ON_TWO_THREADS] {
            let (result, taken, _) = passed(len, usize::MAX, 3);
            assert!(matches!(result, Err(Failed::Filling(()))));
            assert_eq!(taken.len(), 3 * CHUNK - 3);
        }
    }
}
