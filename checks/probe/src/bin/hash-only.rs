//! `hash-only BYTES THREADS`: SHA-256 of so many bytes, shared among so many threads, out of the processor's cache: what nobody undercuts who hashes a store,
//! for `cargo xtask bench --stage1`.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// As many bytes as Touchstone takes at a time.
const BLOCK: usize = 128 * 1024;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("hash-only BYTES THREADS");
    let (bytes, threads): (usize, usize) = (next()?.parse()?, next()?.parse()?);
    let blocks = bytes.div_ceil(BLOCK).div_ceil(threads.max(1));
    std::thread::scope(|scope| {
        for number in 0..threads {
            scope.spawn(move || {
                let block = vec![number as u8; BLOCK];
                let mut state = Sha256::new();
                for _ in 0..blocks {
                    state.update(&block);
                }
                println!("{:x?}", &state.finalize()[..]);
            });
        }
    });
    Ok(())
}
