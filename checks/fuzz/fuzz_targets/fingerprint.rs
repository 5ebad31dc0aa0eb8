//! Fingerprints: a text that is taken apart as a fingerprint and made again is itself, so that no two paths have the same one; and a signature over
//! it is good for it alone.
//!
//! Seeds: `curl` of a path that cache.nixos.org signed, `itself` of one that refers to itself, `none` of one that refers to nothing.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use touchstone_store::{Entry, NarHash, SecretKey, StorePath, Trust};

/// What a fingerprint says.
fn parsed(text: &str) -> Option<Entry> {
    let mut fields = text.split(';');
    let (version, path) = (fields.next()?, fields.next()?);
    let (hash, size, references) = (fields.next()?, fields.next()?, fields.next()?);
    if version != "1" || fields.next().is_some() {
        return None;
    }
    let references = references.split(',').filter(|path| !path.is_empty());
    let references: BTreeSet<StorePath> =
        references.map(str::parse).collect::<Result<_, _>>().ok()?;
    Some(Entry {
        path: path.parse().ok()?,
        nar_hash: NarHash::parse(hash).ok()?,
        nar_size: size.parse().ok()?,
        references,
        ca: None,
        signatures: BTreeSet::new(),
    })
}

fuzz_target!(|text: &str| {
    let Some(mut entry) = parsed(text) else {
        return;
    };
    let fingerprint = entry.fingerprint();
    assert_eq!(parsed(&fingerprint), Some(entry.clone()));
    let key = SecretKey::from_seed("key", &[7; 32].into()).expect("a name of a key");
    let trust = Trust::new(vec![key.public_key()], 1).expect("one key");
    entry.signatures = [key.sign(&fingerprint)].into();
    assert_eq!(trust.check(&entry), Ok(()));
    let same = fingerprint == text;
    entry.signatures = [key.sign(text)].into();
    assert_eq!(trust.check(&entry).is_ok(), same);
    // What was signed has one size and one list of references.
    entry.signatures = [key.sign(&fingerprint)].into();
    let other = Entry {
        nar_size: entry.nar_size ^ 1,
        ..entry.clone()
    };
    assert!(trust.check(&other).is_err());
    entry.references.pop_last();
    assert_eq!(
        trust.check(&entry).is_ok(),
        entry.fingerprint() == fingerprint
    );
});
