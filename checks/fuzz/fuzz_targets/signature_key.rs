//! Nix keys, signatures, hashes and store paths: any text is read or refused; what was read prints as the same text, and a key that was read signs and verifies.
//!
//! Seeds: `public` and `signature` from the NixOS cache, `secret` a key made of sevens, `hash-*` the three forms of the hash of "abc", `path` and `file` of a store; `padding-inside`, found by
//! fuzzing, a second spelling of 32 bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_store::{NarHash, PublicKey, SecretKey, Signature, StoreFile, StorePath};

fuzz_target!(|text: &str| {
    if let Ok(key) = PublicKey::parse(text) {
        assert_eq!(key.to_string(), text.trim_ascii());
    }
    if let Ok(signature) = Signature::parse(text) {
        assert_eq!(signature.to_string(), text);
    }
    if let Ok(key) = SecretKey::parse(text) {
        assert!(key.public_key().verifies("1;", &key.sign("1;")));
    }
    if let Ok(hash) = NarHash::parse(text) {
        assert_eq!(NarHash::parse(&hash.to_sri()), Ok(hash));
    }
    if let Ok(path) = StorePath::parse(text) {
        assert_eq!(
            StoreFile::parse(text).map(|file| file.store_path().clone()),
            Ok(path)
        );
    }
    if let Ok(file) = StoreFile::parse(text) {
        assert_eq!(file.as_str(), text);
    }
});
