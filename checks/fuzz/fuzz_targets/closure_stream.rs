//! Streams of closures: any bytes have an index or are refused; an index that was read is written as one that says the same, references
//! before referrers, and the NARs behind it are where it says.
//!
//! Seeds: `two` is a whole stream of two paths, one of which refers to the other and to itself; `none` has no path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_store::closure::{references_first, registration, stream};
use touchstone_store::nar::{Ignore, read};

fuzz_target!(|bytes: &[u8]| {
    let mut input = bytes;
    let Ok(infos) = stream::read_index(&mut input) else {
        return;
    };
    let text = stream::index(&infos);
    let again = stream::read_index(&mut text.as_bytes()).expect("what was written is read");
    assert_eq!(again, infos);
    let ordered = references_first(infos.clone()).expect("the order shows that there is no circle");
    assert_eq!(ordered.len(), infos.len());
    let _ = registration(&infos);
    for info in &infos {
        let before = input.len();
        let Ok(digest) = read(&mut input, info.entry.nar_size, &mut Ignore) else {
            return;
        };
        assert_eq!((before - input.len()) as u64, digest.size);
    }
});
