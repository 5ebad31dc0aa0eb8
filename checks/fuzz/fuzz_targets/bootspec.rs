//! Bootspec documents: any bytes are read or refused; what was read is written so that it is read as the same, extensions to the byte; it
//! can be upgraded without losing anything, and its v2 emitted again.
//!
//! Seeds, written by hand: `v1` with every key, `v2` with every key, `both` with specialisations and extensions, `child` with a child that
//! was upgraded, `secrets`, `bytes` with an extension that only its own bytes are; `fraction`, found by fuzzing, a number that once lost
//! its last digit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_bootspec::{
    Additions, BesideV1, Document, Extensions, INITRD_SECRETS, InitrdSecrets, SecretsProgram, emit,
    upgrade,
};

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = Document::read(bytes) else {
        return;
    };
    let written = document.to_json();
    let again = Document::read(written.as_bytes()).expect("what was written is read");
    assert_eq!(again, document);
    assert_eq!(again.to_json(), written);
    stand_in(&document.extensions, bytes);
    if let Some(secrets) = document.extensions.get(INITRD_SECRETS) {
        let _ = InitrdSecrets::read(INITRD_SECRETS, secrets);
    }
    upgraded(&document);
    if let Some(generation) = document.v2 {
        // Reserved names among the extensions are the one thing that may be read and not written.
        if let Ok(emitted) = emit(generation, document.extensions, BesideV1::WherePossible) {
            assert!(emitted.document.v1.is_some() != emitted.v1_left_out.is_some());
        }
    }
});

/// Every extension's text is a piece of the document.
fn stand_in(extensions: &Extensions, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("what is read is UTF-8");
    for (_, extension) in extensions.iter() {
        assert!(text.contains(&*extension.text()));
    }
}

/// Upgrading keeps v1 and every extension, and is done once.
fn upgraded(document: &Document) {
    let program = SecretsProgram::AppendsNothing;
    let upgraded = upgrade(document.clone(), Additions::default(), program);
    let upgraded = upgraded.expect("every document can be upgraded");
    assert_eq!(upgraded.extensions, document.extensions);
    let core = |document: &Document| document.v1.clone().map(|v1| v1.core);
    assert_eq!(core(&upgraded), core(document));
    let again = upgrade(upgraded.clone(), Additions::default(), program);
    assert_eq!(again, Ok(upgraded));
}
