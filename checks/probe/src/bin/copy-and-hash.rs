//! `copy-and-hash FROM TO`: the least that anybody must do who copies a file and hashes it twice, for `cargo xtask bench`.
//!
//! Read once, in blocks; each block goes into two SHA-256 digests and into the copy, one after the other; the copy is synced.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// As many bytes as Touchstone takes at a time.
const BLOCK: usize = 256 * 1024;

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().context("copy-and-hash FROM TO");
    let (mut from, mut to) = (File::open(next()?)?, File::create(next()?)?);
    let mut digests = [Sha256::new(), Sha256::new()];
    let mut block = vec![0; BLOCK];
    loop {
        let got = from.read(&mut block)?;
        let bytes = block.get(..got).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        digests.iter_mut().for_each(|digest| digest.update(bytes));
        to.write_all(bytes)?;
    }
    to.sync_all()?;
    for digest in digests {
        let hex = |byte: &u8| format!("{byte:02x}");
        println!("{}", digest.finalize().iter().map(hex).collect::<String>());
    }
    Ok(())
}
