//! A signer whose key comes from a file.

use std::fmt;

use crate::algorithm::Hash;
use crate::fault::Fault;
use crate::private_key::PrivateKey;
use crate::public_key::PublicKey;
use crate::signer::{SignError, Signer};

/// Signs with a private key that lies in memory: RSA of 2048 to 4096 bits, P-256 or P-384.
///
/// The key is wiped when the signer is dropped (intermediate numbers of the `rsa` crate are not);
/// wiping the bytes it was read from is up to the caller. Neither `Debug` nor any error shows it.
/// Some firmware verifies RSA only: RSA is the safe choice.
pub struct FileSigner {
    key: PrivateKey,
    public_key: PublicKey,
}

impl FileSigner {
    /// Reads the key: PKCS#8 or PKCS#1, PEM or DER.
    ///
    /// # Errors
    /// When it cannot be read, or is of a kind or size that firmware does not verify.
    pub fn new(key: &[u8]) -> Result<Self, SignError> {
        let key = PrivateKey::read(key)?;
        let public_key = key.public_key();
        Ok(Self { key, public_key })
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

    /// A new P-256 key through `openssl pkcs8 -topk8 -v2 aes128`.
    const ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhPxmtRZpjgNgICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEO2fl0tgbPBf6LcF9Jo7PYIEgZD7
NPb2NmJkaf//a/EWYSWLjyEcjmxYXa9FuzFL2qlQmlglleUYziAccfaqRw2qCnZc
nVPZfg5n1BvBFYgKSobcpKprluKdWNVBBQ3l8ZVAXhHrnEzDdWdy3UZxwqJ+f5Y3
plu4Tf+jWvSpNeO5TGq0xWG1A+Xgk/sn/xEGd0LUnlaGOguoE1cAl0g1yCTCUPk=
-----END ENCRYPTED PRIVATE KEY-----
";

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
    fn says_how_to_convert_keys_that_it_does_not_read() {
        let (_, encrypted) = der::Document::from_pem(ENCRYPTED).unwrap();
        assert!(matches!(
            with_key(encrypted.as_bytes()),
            Err(SignError::EncryptedKey)
        ));
        assert!(matches!(
            with_key(ENCRYPTED.as_bytes()),
            Err(SignError::EncryptedKey)
        ));
        let pem = |label: &str, text: &str| {
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        let encrypted = pem(
            "RSA PRIVATE KEY",
            "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA",
        );
        assert!(matches!(
            with_key(encrypted.as_bytes()),
            Err(SignError::EncryptedKey)
        ));
        let sec1 = pem("EC PRIVATE KEY", "AAAA");
        assert!(matches!(with_key(sec1.as_bytes()), Err(SignError::Sec1Key)));
        // An Ed25519 key (RFC 8410 section 7).
        let ed25519 = pem(
            "PRIVATE KEY",
            "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC",
        );
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
