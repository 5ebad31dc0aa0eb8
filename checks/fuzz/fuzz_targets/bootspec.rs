//! Bootspec documents: any bytes are read or refused; what was read is written so that it is read as the same, and its v2 can be emitted again.
//!
//! Seeds, written by hand: `v1` with every key, `v2` with every key, `both` with specialisations and extensions; `fraction`, found by
//! fuzzing, a number that once lost its last digit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_bootspec::{BesideV1, Document, emit};

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::read(bytes) else {
        return;
    };
    let written = document.to_json();
    assert_eq!(
        Document::read(written.as_bytes())
            .expect("what was written is read")
            .to_json(),
        written
    );
    if let Some(generation) = document.v2 {
        // Reserved names among the extensions are the one thing that may be read and not written.
        if let Ok(emitted) = emit(generation, document.extensions, BesideV1::WherePossible) {
            assert!(emitted.document.v1.is_some() != emitted.v1_left_out.is_some());
        }
    }
});
