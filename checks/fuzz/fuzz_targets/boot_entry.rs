//! Boot entries: any text is read as an entry of Type #1 and as an os-release; what was read of an entry is written as one that reads as the same, and names the
//! same files; a field that is taken is read as it was given.
//!
//! Seeds: `kernel` has a kernel, two initrds and options, `uki` a unified kernel image, `unknown` keys of GRUB, `quoted` quotes and comments, `os-release` the
//! file of a unified kernel image.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_esp::OsRelease;
use touchstone_esp::type1::Type1;

fuzz_target!(|text: &str| {
    let _ = OsRelease::read(text);
    let entry = Type1::read(text);
    let mut again = Type1::default();
    for (key, value) in entry.fields() {
        // What only quotes can hold (blanks at the ends, other quotes) is not written.
        let _ = again.push(key.clone(), value);
    }
    assert_eq!(Type1::read(&again.to_string()), again);
    if again == entry {
        assert_eq!(again.files(), entry.files());
    }
});
