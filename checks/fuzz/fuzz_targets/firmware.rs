//! Verdicts of firmware: any certificate table and any signature is judged, and no image boots that
//! nobody signed or that is forbidden.
//!
//! Seeds: `trusted-certificate` is a P-256 authority (openssl, its key thrown away), `bare-authority`
//! and `bare-issued` are our signatures of `SIGNED` with its key and with one that it certified,
//! `bare-sbsign` and `bare-osslsigncode` are theirs of another image; the others are such signatures
//! in tables.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use touchstone_sign::firmware::table::{Entry, Table, walk};
use touchstone_sign::firmware::{Database, DigestKind, ImageDigests, judge, leads_to};
use touchstone_sign::{Certificate, certificate};

const SIGNED: [u8; 32] = [0x5a; 32];
const NEVER_SIGNED: [u8; 32] = [0xa5; 32];

static TRUSTED: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
    certificate::read_all(include_bytes!("../corpus/firmware/trusted-certificate"))
        .expect("a certificate")
});

static DB: LazyLock<Database> =
    LazyLock::new(|| Database::of_certificates(&TRUSTED).expect("a database"));

static ANCHOR: LazyLock<Vec<u8>> =
    LazyLock::new(|| certificate::to_der(&TRUSTED[0]).expect("a certificate"));

fn digests(sha256: [u8; 32]) -> ImageDigests {
    [(DigestKind::Sha256, sha256.to_vec())].into()
}

fn check(table: &Table) {
    let boots = |digest, dbx: &Database| judge(&digests(digest), Some(table), &DB, dbx).boots;
    let nothing = Database::default();
    assert!(!boots(NEVER_SIGNED, &nothing));
    // What is trusted by the only certificate of db is forbidden when dbx has it too.
    assert!(!boots(SIGNED, &DB));
    // Without digests in db, an image boots by a signature that leads to a certificate in it.
    let trusted = |entry: &Entry| {
        let leads = |pkcs7| leads_to(&digests(SIGNED), pkcs7, &ANCHOR);
        entry.pkcs7().is_some_and(leads)
    };
    let expected = table.malformed.is_none() && table.entries.iter().any(trusted);
    assert_eq!(boots(SIGNED, &nothing), expected);
}

fuzz_target!(|bytes: &[u8]| {
    let table = walk(bytes);
    check(&table);
    if table.entries.is_empty() {
        check(&Table::of([bytes]));
    }
});
