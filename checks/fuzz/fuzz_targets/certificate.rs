//! Files of certificates, PEM and DER: any bytes are read or refused; what was read is written as it was, so that no signature breaks.
//!
//! Seeds: a certificate on P-256 that openssl made, in both forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_sign::certificate;

fuzz_target!(|bytes: &[u8]| {
    let Ok(certificates) = certificate::read_all(bytes) else {
        return;
    };
    assert!(!certificates.is_empty());
    for certificate in &certificates {
        let der = certificate::to_der(certificate).expect("what was read can be written");
        let again = certificate::read_all(&der).expect("what was written can be read");
        assert_eq!(again, [certificate.clone()]);
        certificate::tbs_sha256(certificate).expect("its signed part can be written");
    }
    if bytes.starts_with(&[0x30]) && certificates.len() == 1 {
        let der = certificate::to_der(&certificates[0]).expect("what was read can be written");
        assert!(der == bytes || bytes.windows(11).any(|window| window == b"-----BEGIN "));
    }
});
