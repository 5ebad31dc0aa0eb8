//! A signer whose key comes from a file.

use std::fmt;

use crate::algorithm::Hash;
use crate::fault::Fault;
use crate::private_key::{PrivateKey, Secret, Work};
use crate::public_key::PublicKey;
use crate::signer::{SignError, Signer};

/// Signs with a private key that lies in memory: RSA of 2048 to 4096 bits, P-256 or P-384.
///
/// The key is wiped when the signer is dropped (intermediate numbers of the `rsa` crate and the key
/// that a passphrase gave are not); wiping the bytes it was read from, and the passphrase, is up to
/// the caller. Neither `Debug` nor any error shows it.
/// Some firmware verifies RSA only: RSA is the safe choice.
pub struct FileSigner {
    key: PrivateKey,
    public_key: PublicKey,
}

impl FileSigner {
    /// Reads the key: PKCS#8, PKCS#1 or SEC 1 ("EC PRIVATE KEY"), PEM or DER.
    ///
    /// # Errors
    /// When it cannot be read, or is of a kind or size that firmware does not verify;
    /// [`SignError::EncryptedKey`] when it needs a passphrase.
    pub fn new(key: &[u8]) -> Result<Self, SignError> {
        PrivateKey::read(key, None).map(Self::of)
    }

    /// Reads the key, which may be encrypted: PKCS#8 by PBES2, with PBKDF2 (HMAC with SHA-2) or
    /// scrypt and AES or 3DES. A key that is not encrypted is read as by [`new`](Self::new).
    ///
    /// # Errors
    /// As those of [`new`](Self::new); [`SignError::WrongPassphrase`]; [`SignError::Encryption`] for
    /// other forms, and where the key asks for more work than `limit`.
    pub fn encrypted(key: &[u8], passphrase: &[u8], limit: Work) -> Result<Self, SignError> {
        PrivateKey::read(key, Some(Secret { passphrase, limit })).map(Self::of)
    }

    fn of(key: PrivateKey) -> Self {
        let public_key = key.public_key();
        Self { key, public_key }
    }
}

impl Signer for FileSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(hash, message).map_err(|_| SignError::Holder {
            signer: self.describe(),
            fault: Fault::Failed,
            what: "it did not sign".to_owned(),
        })
    }

    fn describe(&self) -> String {
        "a key file".to_owned()
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSigner({})", self.public_key.kind())
    }
}

#[cfg(test)]
mod tests {
    use pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
    use rsa::RsaPrivateKey;
    use rsa::pkcs1::EncodeRsaPrivateKey;
    use std::sync::LazyLock;

    use super::*;
    use crate::test_keys;

    fn rsa_key() -> RsaPrivateKey {
        RsaPrivateKey::from_pkcs8_pem(&test_keys::rsa().key_pem).unwrap()
    }

    fn with_key(key: &[u8]) -> Result<FileSigner, SignError> {
        FileSigner::new(key)
    }

    fn small_key() -> &'static RsaPrivateKey {
        static KEY: LazyLock<RsaPrivateKey> =
            LazyLock::new(|| RsaPrivateKey::new(&mut rand::rng(), 1024).unwrap());
        &KEY
    }

    #[test]
    fn reads_pkcs8_and_pkcs1_in_pem_and_der_as_the_same_key() {
        let key = rsa_key();
        let signed = with_key(test_keys::rsa().key_pem.as_bytes())
            .unwrap()
            .sign(Hash::Sha256, b"message")
            .unwrap();
        assert_eq!(signed.len(), 256);
        for form in [
            key.to_pkcs8_der().unwrap().as_bytes().to_vec(),
            key.to_pkcs1_der().unwrap().as_bytes().to_vec(),
            key.to_pkcs1_pem(LineEnding::CRLF)
                .unwrap()
                .as_bytes()
                .to_vec(),
            [
                b"key:\n".as_slice(),
                test_keys::rsa().certificate_pem.as_bytes(),
                test_keys::rsa().key_pem.as_bytes(),
            ]
            .concat(),
        ] {
            assert_eq!(
                with_key(&form)
                    .unwrap()
                    .sign(Hash::Sha256, b"message")
                    .unwrap(),
                signed
            );
        }
    }

    #[test]
    fn signs_with_p256_as_rfc_6979_says() {
        // Section A.2.5, SHA-256, message "sample": r and s, both with a leading zero in DER.
        let signature = test_keys::signer(&test_keys::p256())
            .sign(Hash::Sha256, b"sample")
            .unwrap();
        let hex: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
        let s = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
        assert_eq!(hex, format!("3046022100{r}022100{s}"));
    }

    #[test]
    fn refuses_rsa_keys_that_are_too_small() {
        let pem = small_key().to_pkcs8_pem(LineEnding::LF).unwrap();
        assert!(matches!(
            with_key(pem.as_bytes()),
            Err(SignError::RsaSize { bits: 1024 })
        ));
        let der = small_key().to_pkcs1_der().unwrap();
        assert!(matches!(
            with_key(der.as_bytes()),
            Err(SignError::RsaSize { bits: 1024 })
        ));
    }

    #[test]
    fn refuses_keys_that_firmware_does_not_verify() {
        // An Ed25519 key (RFC 8410 section 7).
        let ed25519 = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
            -----END PRIVATE KEY-----\n";
        assert!(matches!(
            with_key(ed25519.as_bytes()),
            Err(SignError::UnsupportedKey(_))
        ));
    }

    #[test]
    fn refuses_what_is_no_key_or_a_damaged_one() {
        assert!(matches!(with_key(b""), Err(SignError::NotAKey)));
        assert!(matches!(with_key(b"hello"), Err(SignError::NotAKey)));
        assert!(matches!(
            with_key(test_keys::rsa().certificate_pem.as_bytes()),
            Err(SignError::NotAKey)
        ));
        for label in ["OPENSSH PRIVATE KEY", "TSS2 PRIVATE KEY"] {
            let other = format!("-----BEGIN {label}-----\nMAMCAQE=\n-----END {label}-----\n");
            assert!(matches!(
                with_key(other.as_bytes()),
                Err(SignError::NotAKey)
            ));
        }
        let empty = "-----BEGIN EC PRIVATE KEY-----\nMAMCAQE=\n-----END EC PRIVATE KEY-----\n";
        assert!(matches!(
            with_key(empty.as_bytes()),
            Err(SignError::DamagedKey)
        ));
        let mut der = rsa_key().to_pkcs1_der().unwrap().as_bytes().to_vec();
        der[20] ^= 1;
        assert!(matches!(with_key(&der), Err(SignError::DamagedKey)));
        let pem = test_keys::rsa().key_pem.replacen('\n', "\n!!!!", 1);
        assert!(matches!(
            with_key(pem.as_bytes()),
            Err(SignError::DamagedKey)
        ));
    }

    #[test]
    fn never_shows_the_key() {
        let signer = with_key(test_keys::rsa().key_pem.as_bytes()).unwrap();
        assert_eq!(format!("{signer:?}"), "FileSigner(RSA)");
        assert!(!format!("{:?}", test_keys::rsa()).contains("PRIVATE"));
    }
}
