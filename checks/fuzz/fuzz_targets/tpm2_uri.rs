//! Names of keys in TPMs: any text is read or refused; what was read names a persistent object or a file, and a way to a TPM that reads the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_tpm::{KeyPlace, KeyUri};

fuzz_target!(|text: &str| {
    if let Ok(uri) = text.parse::<KeyUri>() {
        assert_eq!(uri.tcti().to_string().parse().as_ref(), Ok(uri.tcti()));
        match uri.place() {
            KeyPlace::Handle(handle) => assert_eq!(handle >> 24, 0x81),
            KeyPlace::File(file) => assert!(!file.as_os_str().is_empty()),
        }
    }
});
