//! EFI signature lists: any bytes are read or refused, and what was read is written so that it is
//! read again.
//!
//! Seeds: `certificate` and `two-certificates` from cert-to-efi-sig-list, `digests` from
//! hash-to-efi-sig-list, `mixed` both.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_sign::esl;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(lists) = esl::parse(bytes) {
        let again: Vec<u8> = lists
            .iter()
            .flat_map(|list| list.to_bytes().expect("what was read can be written"))
            .collect();
        assert_eq!(esl::parse(&again), Ok(lists));
    }
});
