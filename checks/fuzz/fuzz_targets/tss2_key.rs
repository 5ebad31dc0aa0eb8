//! Key files of TPMs: any bytes are read or refused; what was read holds the private half as the file ends with it.
//!
//! Seeds: keys on P-256 whose numbers are sevens, eights and nines, in each form that is read, and two that are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_tpm::KeyFile;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = KeyFile::read(bytes) {
        assert!(!key.public().is_empty());
        let is_pem = bytes.windows(11).any(|window| window == b"-----BEGIN ");
        assert!(is_pem || bytes.ends_with(key.private()));
    }
});
