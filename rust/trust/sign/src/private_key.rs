//! Reading private keys and signing with them. Nothing here derives or implements `Debug`: a key
//! has no text form.

mod encrypted;
#[cfg(test)]
mod tests;

use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1};
use der::asn1::ObjectIdentifier;
use der::{Decode, SecretDocument};
use pkcs8::{DecodePrivateKey, PrivateKeyInfoRef};
use rsa::pkcs1::{DecodeRsaPrivateKey, RsaPrivateKeyRef};
use rsa::{Pkcs1v15Sign, RsaPrivateKey};
use sec1::{EcParameters, EcPrivateKey};
use sha2::{Sha256, Sha384, Sha512};
use signature::hazmat::PrehashSigner;

use crate::algorithm::Hash;
use crate::pem;
use crate::public_key::PublicKey;
use crate::signer::SignError;

pub use encrypted::Work;

/// The sizes of RSA keys that firmware is known to verify, in bits.
pub(crate) const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=4096;

/// A private key, wiped from memory when dropped, so far as its crate does it: `rsa` 0.10.0-rc.20
/// leaves copies of what it computes on the way (the CRT coefficient among them) to the allocator.
pub(crate) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
}

impl PrivateKey {
    /// Reads PKCS#8, encrypted or not, PKCS#1 or SEC 1, PEM (the first private key among its
    /// blocks) or DER.
    pub(crate) fn read(bytes: &[u8], secret: Option<Secret<'_>>) -> Result<Self, SignError> {
        match pem::text(bytes) {
            Some(text) => read_pem(text, secret),
            None => read_der(bytes, secret),
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            Self::Rsa(key) => PublicKey::Rsa(key.to_public_key()),
            Self::P256(key) => PublicKey::P256(*key.verifying_key()),
            Self::P384(key) => PublicKey::P384(*key.verifying_key()),
        }
    }

    /// The signature of `message`, hashed by `hash`. RSA PKCS#1 v1.5 and RFC 6979: the same message
    /// gives the same signature.
    pub(crate) fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let digest = hash.digest(message);
        Ok(match self {
            Self::Rsa(key) => rsa_sign(key, hash, &digest)?,
            Self::P256(key) => {
                let signature: p256::ecdsa::DerSignature = key.sign_prehash(&digest)?;
                signature.as_bytes().to_vec()
            }
            Self::P384(key) => {
                let signature: p384::ecdsa::DerSignature = key.sign_prehash(&digest)?;
                signature.as_bytes().to_vec()
            }
        })
    }
}

fn rsa_sign(key: &RsaPrivateKey, hash: Hash, digest: &[u8]) -> Result<Vec<u8>, rsa::Error> {
    let padding = match hash {
        Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    };
    // Blinded: the random numbers do not reach the signature.
    key.sign_with_rng(&mut rand::rng(), padding, digest)
}

/// The PEM labels of what is read: others hold keys of OpenSSH, of a TPM and so on.
const LABELS: [&str; 4] = [
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
];

/// What opens an encrypted key, and how much work that may be.
#[derive(Clone, Copy)]
pub(crate) struct Secret<'a> {
    pub(crate) passphrase: &'a [u8],
    pub(crate) limit: Work,
}

fn read_pem(text: &str, secret: Option<Secret<'_>>) -> Result<PrivateKey, SignError> {
    let block = pem::blocks(text)
        .find(|block| block.label.ends_with("PRIVATE KEY"))
        .ok_or(SignError::NotAKey)?;
    if !LABELS.contains(&block.label) {
        return Err(SignError::NotAKey);
    }
    // The header of openssl's traditional encryption, which RFC 7468 does not know.
    if block.text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(SignError::Encryption {
            what: "it is openssl's traditional one, by MD5".to_owned(),
        });
    }
    let (_, document) = SecretDocument::from_pem(block.text).map_err(|_| SignError::DamagedKey)?;
    read_der(document.as_bytes(), secret).map_err(|error| match error {
        // The label says that it was meant to be one.
        SignError::NotAKey => SignError::DamagedKey,
        other => other,
    })
}

fn read_der(bytes: &[u8], secret: Option<Secret<'_>>) -> Result<PrivateKey, SignError> {
    if let Ok(info) = PrivateKeyInfoRef::try_from(bytes) {
        read_pkcs8(bytes, &info)
    } else if RsaPrivateKeyRef::from_der(bytes).is_ok() {
        read_pkcs1(bytes)
    } else if let Ok(info) = EcPrivateKey::from_der(bytes) {
        read_sec1(bytes, &info)
    } else if encrypted::is_container(bytes) {
        read_encrypted(bytes, secret.ok_or(SignError::EncryptedKey)?)
    } else {
        Err(SignError::NotAKey)
    }
}

fn read_encrypted(bytes: &[u8], secret: Secret<'_>) -> Result<PrivateKey, SignError> {
    let document = encrypted::decrypt(bytes, secret.passphrase, secret.limit)?;
    let bytes = document.as_bytes();
    // One wrong key in 256 leaves a padding that looks right.
    let info = PrivateKeyInfoRef::try_from(bytes).map_err(|_| SignError::WrongPassphrase)?;
    read_pkcs8(bytes, &info)
}

fn read_pkcs8(bytes: &[u8], info: &PrivateKeyInfoRef<'_>) -> Result<PrivateKey, SignError> {
    match info.algorithm.oid {
        RSA_ENCRYPTION => read_pkcs1(info.private_key.as_bytes()),
        ID_EC_PUBLIC_KEY => {
            let curve: ObjectIdentifier = info
                .algorithm
                .parameters_oid()
                .map_err(|_| SignError::DamagedKey)?;
            read_ec(bytes, curve)
        }
        other => Err(SignError::UnsupportedKey(other)),
    }
}

fn read_ec(pkcs8: &[u8], curve: ObjectIdentifier) -> Result<PrivateKey, SignError> {
    match curve {
        SECP_256_R_1 => p256::ecdsa::SigningKey::from_pkcs8_der(pkcs8).map(PrivateKey::P256),
        SECP_384_R_1 => p384::ecdsa::SigningKey::from_pkcs8_der(pkcs8).map(PrivateKey::P384),
        other => return Err(SignError::UnsupportedKey(other)),
    }
    .map_err(|_| SignError::DamagedKey)
}

/// The container of SEC 1 section C.4 (RFC 5915), which does not need to name its curve.
fn read_sec1(sec1: &[u8], info: &EcPrivateKey<'_>) -> Result<PrivateKey, SignError> {
    let named = info.parameters.map(|EcParameters::NamedCurve(curve)| curve);
    match named {
        Some(other) if ![SECP_256_R_1, SECP_384_R_1].contains(&other) => {
            Err(SignError::UnsupportedKey(other))
        }
        _ => p256::SecretKey::from_sec1_der(sec1)
            .map(|key| PrivateKey::P256(key.into()))
            .or_else(|_| {
                p384::SecretKey::from_sec1_der(sec1).map(|key| PrivateKey::P384(key.into()))
            })
            .map_err(|_| SignError::DamagedKey),
    }
}

fn read_pkcs1(bytes: &[u8]) -> Result<PrivateKey, SignError> {
    let numbers = RsaPrivateKeyRef::from_der(bytes).map_err(|_| SignError::DamagedKey)?;
    let bits = bit_length(numbers.modulus.as_bytes());
    // Before the numbers are used: the checks of a huge key would take minutes.
    if !RSA_BITS.contains(&bits) {
        return Err(SignError::RsaSize { bits });
    }
    let key = RsaPrivateKey::from_pkcs1_der(bytes).map_err(|_| SignError::DamagedKey)?;
    Ok(PrivateKey::Rsa(Box::new(key)))
}

/// Of an unsigned big-endian number without leading zeros, as DER stores it.
fn bit_length(number: &[u8]) -> u32 {
    let first = number.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(number.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(8)
        .saturating_sub(first)
}
