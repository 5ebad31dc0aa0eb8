//! Files that are searched for private keys: any bytes are looked through, with the same findings however much is read at once and
//! wherever in the stream they stand.
//!
//! The seeds, keys of openssl, python-cryptography and `nix-store --generate-binary-cache-key`, are of no use: they were made for this.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_artifacts::secrets::{Kind, Placed, Scanner};

/// Windows and what stands before: larger than what is kept of a window, and smaller.
const READS: [(usize, usize); 3] = [(61, 0), (4096, 70_001), (1 << 20, 600)];

fuzz_target!(|bytes: &[u8]| {
    let found = scan(1 << 20, bytes);
    for one in &found {
        assert!(one.offset < bytes.len() as u64);
        assert_eq!(one.secret.fingerprint.len(), 64);
    }
    for (window, before) in READS {
        let mut moved = vec![b' '; before];
        moved.extend(bytes);
        let again = scan(window, &moved);
        let back = |placed: &Placed| (placed.offset - before as u64, placed.secret.clone());
        let again: Vec<_> = again.iter().map(back).collect();
        // DER is a key as a whole file only; the name of a key of Nix may begin with the same byte.
        let whole = |placed: &&Placed| {
            let der = placed.offset == 0 && bytes.first() == Some(&0x30);
            before == 0 || !der || placed.secret.kind == Kind::Nix
        };
        let expected = found.iter().filter(whole);
        let expected: Vec<_> = expected.map(|placed| (placed.offset, placed.secret.clone())).collect();
        assert_eq!(again, expected, "{window} bytes at once, {before} before them");
    }
});

fn scan(window: usize, mut bytes: &[u8]) -> Vec<Placed> {
    let length = bytes.len() as u64;
    let (found, read) = Scanner::with_window(window).scan(&mut bytes).expect("a slice is read");
    assert_eq!(read, length);
    found
}
