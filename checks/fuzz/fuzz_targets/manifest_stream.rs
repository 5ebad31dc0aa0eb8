//! Closure manifests, line by line: what is accepted is what the reader of whole documents accepts, and says the same; what is planned from it is
//! every path of it, each signed or addressed by its content.
//!
//! Seeds: `closure` and `content-addressed` as those of `manifest`; `class` is the first for a class of machines, `unsigned` the second without
//! signatures, `files` has two that Nix 2.26 addressed by their content, which no signature covers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_store::closure::Trusted;
use touchstone_store::manifest::stream::{Reader, StreamError};
use touchstone_store::{Manifest, SecretKey, Trust};

/// The key of the seeds.
const KEY: &str = "touchstone-test-do-not-trust";

fn streamed(bytes: &[u8]) -> Result<Manifest, StreamError> {
    let mut reader = Reader::new(bytes)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.entry()? {
        entries.push(entry);
    }
    let head = reader.head().clone();
    let tail = reader.finish()?;
    let mut manifest = Manifest::new(head.toplevel, entries)?;
    if let Some(class) = head.class {
        manifest = manifest.for_class(class);
    }
    for signature in tail.signatures {
        manifest.add_signature(signature);
    }
    assert_eq!(manifest.digest(), tail.digest);
    Ok(manifest)
}

fuzz_target!(|bytes: &[u8]| {
    let manifest = match (Manifest::read(bytes), streamed(bytes)) {
        (Ok(whole), Ok(lines)) => {
            assert_eq!(whole, lines);
            whole
        }
        (Err(_), Err(_)) => return,
        (whole, lines) => panic!("{whole:?}, but line by line {lines:?}"),
    };
    let key = SecretKey::from_seed(KEY, &[7; 32].into()).expect("a name of a key");
    let trust = Trust::new(vec![key.public_key()], 1).expect("one key");
    let planned = Trusted::from_manifest(bytes, &trust, manifest.toplevel(), None);
    let signed = |path| trust.check(path).is_ok();
    let addressed = |path: &touchstone_store::Entry| matches!(path.addressed(), Some(Ok(_)));
    let authentic = manifest
        .entries()
        .all(|path| signed(path) || path.path != *manifest.toplevel() && addressed(path));
    assert_eq!(planned.is_ok(), authentic);
    if let Ok(planned) = planned {
        let paths = planned.paths().iter().map(|path| &path.path);
        assert!(paths.eq(manifest.entries().map(|entry| &entry.path)));
    }
    if let Some(class) = manifest.class() {
        let whole = Trusted::from_manifest(bytes, &trust, manifest.toplevel(), Some(class));
        let good = manifest.verify_whole(&trust, class).is_ok();
        assert_eq!(whole.is_ok(), authentic && good);
    }
});
