//! Files of private keys and certificates, PEM and DER: any bytes are read or refused; a passphrase changes nothing of a key that is
//! not encrypted, and what a key signs, its own public key verifies.
//!
//! Seeds: keys and a certificate that openssl made and nobody uses; the passphrase is `passphrase`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_sign::{FileSigner, Hash, KeyKind, SignError, Signer, Work, certificate};

/// As little as the seeds need: how long a hostile key may take is not the question here.
const LIMIT: Work = Work {
    iterations: 64,
    memory: 1 << 12,
};

fuzz_target!(|bytes: &[u8]| {
    let opened = FileSigner::encrypted(bytes, b"passphrase", LIMIT);
    match (FileSigner::new(bytes), &opened) {
        (Ok(plain), Ok(opened)) => assert_eq!(plain.public_key(), opened.public_key()),
        (Ok(_), Err(error)) => panic!("a key that is not encrypted was refused: {error}"),
        (Err(SignError::EncryptedKey), Err(SignError::EncryptedKey)) => {
            panic!("asks for the passphrase that was given")
        }
        (Err(SignError::EncryptedKey), _) => (),
        (Err(_), opened) => assert!(opened.is_err(), "a passphrase made a key of no key"),
    }
    if let Ok(signer) = opened {
        let key = signer.public_key();
        // RSA takes so long that nothing else would be tried.
        if key.kind() != KeyKind::Rsa {
            let signature = signer.sign(Hash::Sha256, b"message");
            let signature = signature.expect("a key that was read signs");
            assert!(key.verify(Hash::Sha256, b"message", &signature));
        }
    }
    for certificate in certificate::read_all(bytes).unwrap_or_default() {
        certificate::to_der(&certificate).expect("what was read can be written");
    }
});
