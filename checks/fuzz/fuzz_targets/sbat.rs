//! SBAT: any bytes are read or refused; what was merged is read again, and levels judge it.
//!
//! An input is an image's SBAT, a 0x01 byte, and a revocation level. Seeds, written by hand after shim's `SBAT.md`:
//! `stub`, `shim`, `revoked`, and `padded` as a section stores it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_pe::sbat::{self, Entries, Level, Metadata};
use touchstone_pe::uki::Compat;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == 1);
    let (image, level) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    if let Ok(entries) = Entries::parse(image) {
        for compat in [Compat::Ukify257, Compat::Ukify262] {
            let merged = sbat::merge(&[entries.clone(), entries.clone()], compat);
            let again = Entries::parse(&merged).expect("what was merged is read");
            assert_eq!(
                sbat::merge(&[again.clone()], Compat::Ukify262),
                sbat::merge(&[again], Compat::Ukify262)
            );
        }
    }
    let level = Level::parse(level);
    if let Ok(level) = &level {
        assert!(level.covers(level) && !level.is_later_than(level));
    }
    let Ok(image) = Metadata::parse(image) else {
        return;
    };
    assert!(image.0.iter().all(|component| component.generation > 0));
    if let Ok(level) = level {
        for revoked in level.revoked(&image) {
            assert!(revoked.generation < revoked.minimum);
            assert!(image.component(&revoked.component).is_some());
        }
    }
});
