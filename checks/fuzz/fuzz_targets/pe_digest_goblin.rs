//! Two readers, one digest: where this crate computes an Authenticode digest and goblin gives the ranges to hash, both
//! are the same.
//!
//! goblin panics on some hostile sizes. That is no fault of ours, so that its panics are caught *here*, in the fuzz
//! target, and count as no answer; `touchstone-pe` itself catches nothing. What else is left out: see `comparable` and
//! `goblin_digest`.
//! Seeds are those of `pe_image`.
#![no_main]

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{catch_unwind, set_hook, take_hook};

use goblin::pe::PE;
use goblin::pe::options::ParseOptions;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use touchstone_pe::{Image, authenticode};

const CERTIFICATE_DIRECTORY: u32 = 4;

thread_local! {
    /// Whether a panic now would be goblin's.
    static IN_GOBLIN: Cell<bool> = const { Cell::new(false) };
}

fuzz_target!(
    init: {
        // libFuzzer's hook aborts before anything can be caught.
        let abort = take_hook();
        set_hook(Box::new(move |panic| {
            if !IN_GOBLIN.get() {
                abort(panic);
            }
        }));
    },
    |bytes: &[u8]| {
        let mut source = Cursor::new(bytes);
        let Ok(image) = Image::read(&mut source) else {
            return;
        };
        let Ok(ours) = authenticode::sha256(&image, &mut source) else {
            return;
        };
        if !comparable(&image) {
            return;
        }
        IN_GOBLIN.set(true);
        let theirs = catch_unwind(|| goblin_digest(bytes));
        IN_GOBLIN.set(false);
        if let Ok(Some(theirs)) = theirs {
            assert_eq!(ours, theirs);
        }
    }
);

/// goblin pads by the length of the file, signatures included; the specification by the length of the image. They
/// differ for a table of certificates whose own end is no multiple of 8.
fn comparable(image: &Image) -> bool {
    image.certificate_table().is_none() || image.len().is_multiple_of(8)
}

fn goblin_digest(bytes: &[u8]) -> Option<[u8; 32]> {
    let options = ParseOptions::default()
        .with_parse_imports(false)
        .with_parse_resources(false)
        .with_parse_tls_data(false);
    let pe = PE::parse_with_opts(bytes, &options).ok()?;
    // Without an entry for certificates, firmware (EDK II) hashes all of the headers; goblin leaves out what stands in
    // the entry's place.
    let directories = pe
        .header
        .optional_header?
        .windows_fields
        .number_of_rva_and_sizes;
    if directories <= CERTIFICATE_DIRECTORY {
        return None;
    }
    let mut hasher = Sha256::new();
    for range in pe.authenticode_ranges() {
        hasher.update(range);
    }
    Some(hasher.finalize().into())
}
