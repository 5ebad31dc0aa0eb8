//! Files of private keys: any bytes are read or refused, with little work, and whatever is read signs
//! as its public half expects it.
//!
//! Seeds: a P-256 and an RSA key of openssl in each form, encrypted with the passphrase "correct" by
//! as little work as openssl allows (`-iter 1`, `-scrypt_N 2 -scrypt_r 1`).
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_sign::{FileSigner, Hash, SignError, Signer, Work};

const PASSPHRASE: &[u8] = b"correct";
const LIMIT: Work = Work {
    iterations: 16,
    memory: 1 << 14,
};

fuzz_target!(|bytes: &[u8]| {
    let plain = FileSigner::new(bytes);
    let opened = FileSigner::encrypted(bytes, PASSPHRASE, LIMIT);
    match (&plain, &opened) {
        (Ok(plain), Ok(opened)) => assert_eq!(plain.public_key(), opened.public_key()),
        (Ok(_), Err(_)) => panic!("a passphrase closes what was open"),
        (Err(SignError::EncryptedKey), _) => (),
        (Err(_), Ok(_)) => panic!("a passphrase opens what is not encrypted"),
        (Err(_), Err(error)) => assert!(!matches!(error, SignError::EncryptedKey)),
    }
    if let Ok(signer) = opened {
        let signature = signer.sign(Hash::Sha256, bytes).expect("a signature");
        let verified = signer.public_key().verify(Hash::Sha256, bytes, &signature);
        assert!(verified, "{signer:?}");
    }
});
