//! Authenticode signatures: any bytes are judged, and nothing is accepted for an image that nobody
//! signed.
//!
//! Seeds: `trusted-certificate` is a P-256 authority (openssl, its key thrown away), `authority`
//! and `issued` are our signatures of `SIGNED` with its key and with one that it certified,
//! `sbsign` and `osslsigncode` are theirs of another image.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use touchstone_sign::authenticode::{self, ImageDigest};
use touchstone_sign::{Certificate, certificate};

const SIGNED: [u8; 32] = [0x5a; 32];
const NEVER_SIGNED: [u8; 32] = [0xa5; 32];

static TRUSTED: LazyLock<Vec<Certificate>> = LazyLock::new(|| {
    certificate::read_all(include_bytes!(
        "../corpus/authenticode_signature/trusted-certificate"
    ))
    .expect("a certificate")
});

fuzz_target!(|bytes: &[u8]| {
    let verify = |digest| authenticode::verify(bytes, &[ImageDigest::sha256(digest)], &TRUSTED);
    let _ = verify(&SIGNED);
    assert!(verify(&NEVER_SIGNED).is_err());
});
