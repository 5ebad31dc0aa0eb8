//! Verdicts of firmware: any certificate table is judged, and no image boots that nobody signed or
//! that is forbidden.
//!
//! Seeds: the signatures of `authenticode_signature` in tables.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use touchstone_sign::firmware::table::{Entry, walk};
use touchstone_sign::firmware::{Database, DigestKind, ImageDigests, judge, leads_to};
use touchstone_sign::{Certificate, certificate};

const SIGNED: [u8; 32] = [0x5a; 32];
const NEVER_SIGNED: [u8; 32] = [0xa5; 32];

static TRUSTED: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
    certificate::read_all(include_bytes!(
        "../corpus/authenticode_signature/trusted-certificate"
    ))
    .expect("a certificate")
});

fn digests(sha256: [u8; 32]) -> ImageDigests {
    [(DigestKind::Sha256, sha256.to_vec())].into()
}

fuzz_target!(|bytes: &[u8]| {
    let table = walk(bytes);
    let db = Database::of_certificates(&TRUSTED).expect("a database");
    let boots = |digest, dbx: &Database| judge(&digests(digest), Some(&table), &db, dbx).boots;
    let nothing = Database::default();
    assert!(!boots(NEVER_SIGNED, &nothing));
    // What is trusted by the only certificate of db is forbidden when dbx has it too.
    assert!(!boots(SIGNED, &db));
    // Without digests in db, an image boots by a signature that leads to a certificate in it.
    let anchor = certificate::to_der(&TRUSTED[0]).expect("a certificate");
    let trusted = |entry: &Entry| {
        let leads = |pkcs7| leads_to(&digests(SIGNED), pkcs7, &anchor);
        entry.pkcs7().is_some_and(leads)
    };
    let expected = table.malformed.is_none() && table.entries.iter().any(trusted);
    assert_eq!(boots(SIGNED, &nothing), expected);
});
