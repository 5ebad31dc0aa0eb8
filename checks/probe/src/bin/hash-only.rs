//! `hash-only BYTES THREADS`: SHA-256 of so many bytes, shared among so many threads, out of the processor's cache.
//! `hash-only LIST…`: SHA-256 of the files of each list (each name with a NUL byte behind it) by a thread of its own, one digest for each list.
//!
//! What nobody undercuts who hashes a store, for `cargo xtask bench --stage1`.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// As many bytes as Touchstone takes at a time.
const BLOCK: usize = 128 * 1024;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let digests = match arguments.as_slice() {
        [bytes, threads] if bytes.parse::<usize>().is_ok() => {
            let (bytes, threads): (usize, usize) = (bytes.parse()?, threads.parse()?);
            let blocks = bytes.div_ceil(BLOCK).div_ceil(threads.max(1));
            let seeds: Vec<usize> = (0..threads).collect();
            each(&seeds, |seed| Ok(of_cache(*seed, blocks)))?
        }
        lists => each(lists, |list| of_files(list))?,
    };
    for digest in digests {
        println!("{digest:x?}");
    }
    Ok(())
}

/// Works on each in a thread of its own.
fn each<T: Sync>(all: &[T], work: impl Fn(&T) -> Result<[u8; 32]> + Sync) -> Result<Vec<[u8; 32]>> {
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = all
            .iter()
            .map(|one| scope.spawn(move || work(one)))
            .collect();
        let ends = threads.into_iter().map(|thread| thread.join().ok());
        ends.map(|end| end.context("a thread ended early")?)
            .collect()
    })
}

fn of_cache(seed: usize, blocks: usize) -> [u8; 32] {
    let block = vec![seed as u8; BLOCK];
    let mut state = Sha256::new();
    for _ in 0..blocks {
        state.update(&block);
    }
    state.finalize().into()
}

fn of_files(list: &str) -> Result<[u8; 32]> {
    let names = std::fs::read(list).with_context(|| list.to_owned())?;
    let mut block = vec![0; BLOCK];
    let mut state = Sha256::new();
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut file = File::open(OsStr::from_bytes(name))?;
        loop {
            let count = file.read(&mut block)?;
            let piece = block.get(..count).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            state.update(piece);
        }
    }
    Ok(state.finalize().into())
}
