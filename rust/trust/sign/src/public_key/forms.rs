//! The forms in which a public key is read and written.

use pkcs8::{EncodePublicKey, LineEnding};
use rsa::pkcs1::EncodeRsaPublicKey;
use rsa::traits::PublicKeyParts;

use super::PublicKey;
use crate::signer::SignError;
use crate::{certificate, pem};

impl PublicKey {
    /// Reads a file with a public key: PEM ("PUBLIC KEY", or a certificate) or DER of either.
    ///
    /// # Errors
    /// When there is none, or it is of a kind that cannot be checked with.
    pub fn read(bytes: &[u8]) -> Result<Self, SignError> {
        let Some(text) = pem::text(bytes) else {
            return Self::from_der(bytes).or_else(|error| match certificate::read(bytes) {
                Ok(certificate) => Self::of(&certificate).map_err(SignError::UnsupportedKey),
                Err(_) => Err(error),
            });
        };
        let Some(block) = pem::blocks(text).find(|block| block.label == "PUBLIC KEY") else {
            let certificate = certificate::read(bytes)?;
            return Self::of(&certificate).map_err(SignError::UnsupportedKey);
        };
        let (_, document) =
            der::SecretDocument::from_pem(block.text).map_err(|_| SignError::DamagedKey)?;
        Self::from_der(document.as_bytes())
    }

    /// The key as `openssl pkey -pubout` writes it: SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// [`SignError::Encode`].
    pub fn to_pem(&self) -> Result<String, SignError> {
        let document = match self {
            Self::Rsa(key) => key.to_public_key_der(),
            Self::P256(key) => key.to_public_key_der(),
            Self::P384(key) => key.to_public_key_der(),
        };
        let document = document.map_err(|_| SignError::DamagedKey)?;
        document
            .to_pem("PUBLIC KEY", LineEnding::LF)
            .map_err(SignError::Encode)
    }

    /// What a SubjectPublicKeyInfo wraps: the DER form of a PKCS#1 RSAPublicKey (RFC 8017 section A.1.1), or the
    /// uncompressed point (SEC 1 section 2.3.3).
    ///
    /// # Errors
    /// [`SignError::Encode`].
    pub fn to_inner_bytes(&self) -> Result<Vec<u8>, SignError> {
        match self {
            Self::Rsa(key) => key
                .to_pkcs1_der()
                .map(|der| der.as_bytes().to_vec())
                .map_err(|_| SignError::DamagedKey),
            Self::P256(key) => Ok(key.to_sec1_point(false).as_bytes().to_vec()),
            Self::P384(key) => Ok(key.to_sec1_point(false).as_bytes().to_vec()),
        }
    }

    /// The key's two numbers, big-endian: modulus and exponent without leading zeros, or the point's coordinates, each
    /// as long as the curve's field.
    pub fn numbers(&self) -> (Vec<u8>, Vec<u8>) {
        fn coordinates(point: &[u8]) -> (Vec<u8>, Vec<u8>) {
            let (x, y) = point
                .get(1..)
                .unwrap_or_default()
                .split_at(point.len().saturating_sub(1) / 2);
            (x.to_vec(), y.to_vec())
        }
        match self {
            Self::Rsa(key) => (
                key.n().to_be_bytes_trimmed_vartime().to_vec(),
                key.e().to_be_bytes_trimmed_vartime().to_vec(),
            ),
            Self::P256(key) => coordinates(key.to_sec1_point(false).as_bytes()),
            Self::P384(key) => coordinates(key.to_sec1_point(false).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys;

    #[test]
    fn reads_what_it_writes_and_what_a_certificate_holds() {
        for key in [test_keys::rsa(), &test_keys::p256(), &test_keys::p384()] {
            let certificate = test_keys::certificate(key);
            let public = PublicKey::of(&certificate).unwrap();
            let pem = public.to_pem().unwrap();
            let der = certificate::to_der(&certificate).unwrap();
            let text = format!("what openssl says of it\n{pem}");
            for form in [
                pem.as_bytes(),
                text.as_bytes(),
                key.certificate_pem.as_bytes(),
                &der,
            ] {
                assert_eq!(PublicKey::read(form).unwrap(), public);
            }
        }
    }

    #[test]
    fn refuses_a_file_without_a_public_key() {
        let private = test_keys::rsa().key_pem.as_bytes();
        for form in [
            private,
            b"",
            b"text",
            b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n",
        ] {
            assert!(PublicKey::read(form).is_err());
        }
    }

    #[test]
    fn a_point_is_its_coordinates_behind_a_four() {
        for (key, len) in [(test_keys::p256(), 32), (test_keys::p384(), 48)] {
            let public = PublicKey::of(&test_keys::certificate(&key)).unwrap();
            let (x, y) = public.numbers();
            assert_eq!((x.len(), y.len()), (len, len));
            let point = public.to_inner_bytes().unwrap();
            assert_eq!(point, [&[4], &x[..], &y].concat());
            assert_eq!(PublicKey::point(&point).unwrap(), public);
        }
    }

    #[test]
    fn an_rsa_key_is_its_numbers_without_leading_zeros() {
        let public = PublicKey::of(&test_keys::certificate(test_keys::rsa())).unwrap();
        let (modulus, exponent) = public.numbers();
        assert_eq!((modulus.len(), &exponent[..]), (256, &[1, 0, 1][..]));
        assert_eq!(PublicKey::rsa(&modulus, &exponent).unwrap(), public);
        // PKCS#1: a sequence of two integers, the first with a zero before its highest bit.
        let der = public.to_inner_bytes().unwrap();
        assert_eq!(der[..9], [0x30, 0x82, 1, 0x0a, 2, 0x82, 1, 1, 0]);
        assert_eq!(der[9..265], modulus);
        assert_eq!(der[265..], [2, 3, 1, 0, 1]);
    }
}
