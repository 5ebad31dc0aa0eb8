//! Names of entries' files: any text is read or refused; there is one name for each entry, it is valid on FAT unless it is too long, and its counter comes
//! off and on again. The order of entries is one of versions: the same for two names whichever comes first.
//!
//! Seeds: `generation`, `specialisation`, `profile`, `counted` and `text` are names as we write them; `upper` is one in capitals; `zeros`, `escape` and
//! `foreign` are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_esp::{BootCount, EntryName, order};

fuzz_target!(|text: &str| {
    let (without, count) = BootCount::split(text);
    if let Some(count) = count {
        assert!(without.len() < text.len());
        let tried = count.attempt();
        assert!(tried.left <= count.left && tried.done > Some(0));
    } else {
        assert_eq!(without, text);
    }
    let (id, _) = order::identify(text);
    let forwards = order::compare_versions(text, &id);
    assert_eq!(forwards, order::compare_versions(&id, text).reverse());
    let Ok(name) = text.parse::<EntryName>() else {
        return;
    };
    assert_eq!(name.to_string(), text.to_ascii_lowercase());
    assert_eq!(name.id(), id);
    assert_eq!(name.count, count);
    if let Ok(path) = name.path() {
        assert_eq!(path.name(), name.to_string());
    }
});
