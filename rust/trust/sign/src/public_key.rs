//! Public keys, and what they say of a signature.

mod forms;

use const_oid::AssociatedOid;
use der::Decode;
use der::asn1::ObjectIdentifier;
use der::referenced::OwnedToRef;
use rsa::BoxedUint;
use rsa::RsaPublicKey;
use rsa::pkcs1v15;
use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;
use spki::SubjectPublicKeyInfoRef;
use x509_cert::Certificate;

use crate::algorithm::{Hash, KeyKind, Scheme};
use crate::private_key::RSA_BITS;
use crate::signer::SignError;

/// A public key that signatures can be checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RSA of any size: a signer's own is of 2048 to 4096 bits.
    Rsa(RsaPublicKey),
    /// A point of P-256.
    P256(p256::ecdsa::VerifyingKey),
    /// A point of P-384.
    P384(p384::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// The key of `certificate`, or the object identifier of the algorithm when it is none of ours
    /// (or damaged).
    ///
    /// # Errors
    /// That identifier.
    pub fn of(certificate: &Certificate) -> Result<Self, ObjectIdentifier> {
        let info = certificate
            .tbs_certificate()
            .subject_public_key_info()
            .owned_to_ref();
        Self::of_info(info)
    }

    /// The key in a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), in DER.
    ///
    /// # Errors
    /// When it is damaged or of another kind.
    pub fn from_der(der: &[u8]) -> Result<Self, SignError> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| SignError::DamagedKey)?;
        Self::of_info(info).map_err(SignError::UnsupportedKey)
    }

    /// The RSA key of these numbers, big-endian.
    ///
    /// # Errors
    /// When they are no RSA key of 2048 to 4096 bits.
    pub fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, SignError> {
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        let bits = number(modulus).bits();
        if !RSA_BITS.contains(&bits) {
            return Err(SignError::RsaSize { bits });
        }
        RsaPublicKey::new(number(modulus), number(exponent))
            .map(Self::Rsa)
            .map_err(|_| SignError::DamagedKey)
    }

    /// The key that is this point (SEC 1 section 2.3.3, 65 or 97 bytes when uncompressed) of P-256 or P-384.
    ///
    /// # Errors
    /// When it is a point of neither.
    pub fn point(sec1: &[u8]) -> Result<Self, SignError> {
        p256::ecdsa::VerifyingKey::from_sec1_bytes(sec1)
            .map(Self::P256)
            .or_else(|_| p384::ecdsa::VerifyingKey::from_sec1_bytes(sec1).map(Self::P384))
            .map_err(|_| SignError::DamagedKey)
    }

    /// Is it of a size that firmware is known to verify? RSA of 2048 to 4096 bits, or one of the curves.
    ///
    /// # Errors
    /// [`SignError::RsaSize`].
    pub fn may_sign(&self) -> Result<(), SignError> {
        match self {
            Self::Rsa(key) if !RSA_BITS.contains(&key.n().bits()) => Err(SignError::RsaSize {
                bits: key.n().bits(),
            }),
            _ => Ok(()),
        }
    }

    fn of_info(info: SubjectPublicKeyInfoRef<'_>) -> Result<Self, ObjectIdentifier> {
        let algorithm = info.algorithm.oid;
        RsaPublicKey::try_from(info.clone())
            .map(Self::Rsa)
            .or_else(|_| p256::ecdsa::VerifyingKey::try_from(info.clone()).map(Self::P256))
            .or_else(|_| p384::ecdsa::VerifyingKey::try_from(info).map(Self::P384))
            .map_err(|_| algorithm)
    }

    /// What kind of key it is.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa(_) => KeyKind::Rsa,
            Self::P256(_) => KeyKind::P256,
            Self::P384(_) => KeyKind::P384,
        }
    }

    /// The length of the key: of its modulus, or of its curve's field, in bits.
    pub fn bits(&self) -> u32 {
        match self {
            Self::Rsa(key) => key.n().bits(),
            Self::P256(_) => 256,
            Self::P384(_) => 384,
        }
    }

    /// Is `signature` (raw bytes for RSA, a DER `Ecdsa-Sig-Value` for ECDSA) this key's signature
    /// of `message`, hashed by `hash`?
    pub fn verify(&self, hash: Hash, message: &[u8], signature: &[u8]) -> bool {
        self.verifies(self.kind().scheme(hash), message, signature)
    }

    /// Is `signature` this key's signature of `message`? No as well when scheme and key do not fit
    /// together.
    pub(crate) fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        match (self, scheme) {
            (Self::Rsa(key), Scheme::Rsa(Hash::Sha256)) => {
                rsa_verifies::<Sha256>(key, message, signature)
            }
            (Self::Rsa(key), Scheme::Rsa(Hash::Sha384)) => {
                rsa_verifies::<Sha384>(key, message, signature)
            }
            (Self::Rsa(key), Scheme::Rsa(Hash::Sha512)) => {
                rsa_verifies::<Sha512>(key, message, signature)
            }
            (Self::P256(key), Scheme::Ecdsa(hash)) => {
                p256::ecdsa::DerSignature::from_bytes(signature).is_ok_and(|signature| {
                    key.verify_prehash(&hash.digest(message), &signature)
                        .is_ok()
                })
            }
            (Self::P384(key), Scheme::Ecdsa(hash)) => {
                p384::ecdsa::DerSignature::from_bytes(signature).is_ok_and(|signature| {
                    key.verify_prehash(&hash.digest(message), &signature)
                        .is_ok()
                })
            }
            (Self::Rsa(_), Scheme::Ecdsa(_)) | (Self::P256(_) | Self::P384(_), Scheme::Rsa(_)) => {
                false
            }
        }
    }
}

fn rsa_verifies<D: Digest + AssociatedOid>(
    key: &RsaPublicKey,
    message: &[u8],
    signature: &[u8],
) -> bool {
    pkcs1v15::Signature::try_from(signature).is_ok_and(|signature| {
        pkcs1v15::VerifyingKey::<D>::new(key.clone())
            .verify(message, &signature)
            .is_ok()
    })
}
