//! Toplevels without a document: whatever their files say, a document is made that is read as the same, or the toplevel is refused.
//!
//! Texts are separated by zeros: system, release, kernel parameters, kernel release, what `kernel` and `initrd` are, specialisation. Seeds,
//! written by hand: `plain`, `quoted` with quotes and a second `=`, `special` with a specialisation.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use touchstone_bootspec::{Document, Toplevel, synthesize};

const STORE: &str = "/nix/store/00000000000000000000000000000000-";

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut texts = text.split('\0');
    let mut next = || texts.next().unwrap_or_default();
    let (system, nixos_version, kernel_params, kernel_version) = (next(), next(), next(), next());
    let (Ok(kernel), initrd) = (format!("{STORE}{}", next()).parse(), next()) else {
        return;
    };
    let alone = Toplevel {
        path: format!("{STORE}toplevel").parse().expect("a store path"),
        system: system.to_owned(),
        nixos_version: nixos_version.to_owned(),
        kernel,
        kernel_version: kernel_version.to_owned(),
        kernel_params: kernel_params.to_owned(),
        initrd: format!("{STORE}{initrd}").parse().ok(),
        appends_initrd_secrets: initrd.is_empty(),
        specialisations: BTreeMap::new(),
    };
    let special = texts.next().map(|name| (name.to_owned(), alone.clone()));
    let toplevel = Toplevel {
        specialisations: special.into_iter().collect(),
        ..alone
    };
    let Ok(document) = synthesize(&toplevel) else {
        return;
    };
    let written = document.to_json();
    assert_eq!(Document::read(written.as_bytes()).as_ref(), Ok(&document));
    let core = &document.v1.as_ref().expect("v1").core;
    assert_eq!(core.kernel_params.join(" "), kernel_params);
});
