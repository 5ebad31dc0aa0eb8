//! Files that are searched for private keys: any bytes are looked through, with the same findings however much is read at once and
//! wherever in the stream they stand.
//!
//! The seeds, keys of openssl and python-cryptography, a TPM's and age's, are of no use: they were made for this.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use touchstone_artifacts::secrets::{Kind, Placed, Scanner, Secret};

/// How many bytes are read at once, and how many stand before the input: more than is kept of a window.
const READS: [(usize, usize); 3] = [(1 << 16, 0), (61, 0), (4096, 70_001)];

thread_local! {
    /// One for each, used again and again as they are for the files of a closure.
    static SCANNERS: RefCell<[Scanner; 3]> = RefCell::new(READS.map(|(window, _)| Scanner::with_window(window)));
}

fuzz_target!(|bytes: &[u8]| {
    SCANNERS.with_borrow_mut(|scanners| {
        let [found, at_once, behind] = [0, 1, 2].map(|place| {
            let before = READS[place].1;
            let mut moved = vec![b' '; before];
            moved.extend(bytes);
            scan(&mut scanners[place], before, &moved)
        });
        assert_eq!(at_once, found);
        // DER is a key as a whole file only; the name of a key of Nix may begin with the same byte.
        let not_whole = |(offset, secret): &&(u64, Secret)| {
            *offset > 0 || bytes.first() != Some(&0x30) || secret.kind == Kind::Nix
        };
        let found: Vec<_> = found.iter().filter(not_whole).cloned().collect();
        assert_eq!(behind, found);
    });
});

/// What is found, by its place in the input.
fn scan(scanner: &mut Scanner, before: usize, mut bytes: &[u8]) -> Vec<(u64, Secret)> {
    let length = bytes.len() as u64;
    let (found, read) = scanner.scan(&mut bytes).expect("a slice is read");
    assert_eq!(read, length);
    let place = |placed: Placed| {
        assert!(placed.offset < length);
        assert_eq!(placed.secret.fingerprint.len(), 64);
        (placed.offset - before as u64, placed.secret)
    };
    found.into_iter().map(place).collect()
}
