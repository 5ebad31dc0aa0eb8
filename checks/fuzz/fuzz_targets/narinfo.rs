//! `.narinfo` files: any bytes are read or refused; what was read is written as a text that says the same, and that text as itself.
//!
//! Seeds, in the manner of Nix: `cache` is of a path that was copied, compressed and signed; `registry` is what an import keeps of it; `old`
//! has what caches of the first years wrote.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_store::NarInfo;

fuzz_target!(|bytes: &[u8]| {
    let Ok(info) = NarInfo::read(bytes) else {
        return;
    };
    let text = info.to_string();
    assert_eq!(NarInfo::read(text.as_bytes()), Ok(info.clone()));
    assert_eq!(info.entry.fingerprint().matches(';').count(), 4);
    if let Some(archive) = info.archive {
        let parts = archive.url.split('/');
        assert!(parts.clone().all(|part| !matches!(part, "" | "." | "..")));
    }
});
