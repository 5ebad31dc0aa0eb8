//! Content addresses, in `.narinfo` files: each makes its path, another one, or none. The path that it makes is proven by it, and no other name,
//! and no other list of references.
//!
//! Seeds: what Nix 2.26 said of paths that it made in each way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_store::{AddressError, Entry, NarInfo, Proof, StorePath};

/// The entry under another path, in its own references as well.
fn renamed(entry: &Entry, path: StorePath) -> Entry {
    let mut renamed = entry.clone();
    if renamed.references.remove(&entry.path) {
        renamed.references.insert(path.clone());
    }
    renamed.path = path;
    renamed
}

/// Whether a path is the one that was made.
fn proven(entry: &Entry) -> Option<Proof> {
    match entry.addressed()? {
        Ok(proof) => Some(proof),
        // The NAR's hash has no part in the name, and whoever refers to itself has a name that says too little.
        Err(AddressError::OtherNar(_) | AddressError::Itself(_)) => Some(Proof::Nar),
        Err(_) => None,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(info) = NarInfo::read(bytes) else {
        return;
    };
    let mut entry = info.entry;
    if let Some(Err(AddressError::OtherPath { made, .. })) = entry.addressed() {
        let path = format!("/nix/store/{made}-{}", entry.path.name());
        let path: StorePath = path.parse().expect("a store path");
        if entry.references.contains(&path) {
            return;
        }
        entry = renamed(&entry, path);
        assert!(proven(&entry).is_some());
    }
    if proven(&entry).is_none() {
        return;
    }
    let itself = entry.references.contains(&entry.path);
    assert!(!itself || !matches!(entry.addressed(), Some(Ok(_))));
    let other = format!("{}x", entry.path);
    if let Ok(other) = other.parse::<StorePath>() {
        if !entry.references.contains(&other) {
            assert_eq!(proven(&renamed(&entry, other)), None);
        }
    }
    let mut fewer = entry.clone();
    if fewer.references.pop_last().is_some() {
        assert_eq!(proven(&fewer), None);
    }
});
