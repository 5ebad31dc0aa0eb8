//! What was prepared to be signed elsewhere: any bytes are read or refused, and no others than those
//! that were signed are attached.
//!
//! Seeds: `ours` is of an image with the digest `SIGNED`, and what was signed; `systemd` is of the
//! same image, with what systemd-sbsign 262 adds: the time and S/MIME capabilities. `certificate` is
//! of a P-256 key of openssl, thrown away when it had made `signature`.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::authenticode::detached::{Prepared, prepare};
use touchstone_sign::firmware::table::Table;
use touchstone_sign::firmware::{Database, DigestKind, judge};
use touchstone_sign::{Certificate, certificate};

const SIGNED: [u8; 32] = [0x5a; 32];
const PREPARED: &[u8] = include_bytes!("../corpus/signed_data/ours");
const SIGNATURE: &[u8] = include_bytes!("../corpus/signed_data/signature");

static CERTIFICATE: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
    certificate::read_all(include_bytes!("../corpus/signed_data/certificate"))
        .expect("a certificate")
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(prepared) = Prepared::read(bytes) else {
        return;
    };
    let digest = ImageDigest::sha256(&SIGNED);
    match prepared.attach(&digest, &CERTIFICATE, SIGNATURE) {
        Ok(signature) => {
            assert_eq!(bytes, PREPARED);
            assert_eq!(prepare(&digest).expect("an encoding"), PREPARED);
            let db = Database::of_certificates(&CERTIFICATE).expect("a database");
            let image = [(DigestKind::Sha256, SIGNED.to_vec())].into();
            let table = Table::of([&*signature]);
            assert!(judge(&image, Some(&table), &db, &Database::default()).boots);
        }
        Err(_) => assert_ne!(bytes, PREPARED),
    }
    // A signature that was made up.
    let by_the_data = prepared.attach(&ImageDigest::sha256(&SIGNED), &CERTIFICATE, bytes);
    assert!(by_the_data.is_err());
});
