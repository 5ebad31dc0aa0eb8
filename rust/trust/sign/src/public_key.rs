//! The public key of a certificate, and what it says of a signature.

use const_oid::AssociatedOid;
use der::asn1::ObjectIdentifier;
use der::referenced::OwnedToRef;
use rsa::RsaPublicKey;
use rsa::pkcs1v15;
use sha2::{Digest, Sha256, Sha384, Sha512};
use signature::Verifier;
use signature::hazmat::PrehashVerifier;
use x509_cert::Certificate;

use crate::algorithm::{Algorithm, Hash, Scheme};

/// A public key that we can check signatures of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// The key of `certificate`, or the object identifier of the algorithm when it is none of ours
    /// (or damaged).
    pub(crate) fn of(certificate: &Certificate) -> Result<Self, ObjectIdentifier> {
        let info = certificate
            .tbs_certificate()
            .subject_public_key_info()
            .owned_to_ref();
        let algorithm = info.algorithm.oid;
        RsaPublicKey::try_from(info.clone())
            .map(Self::Rsa)
            .or_else(|_| p256::ecdsa::VerifyingKey::try_from(info.clone()).map(Self::P256))
            .or_else(|_| p384::ecdsa::VerifyingKey::try_from(info).map(Self::P384))
            .map_err(|_| algorithm)
    }

    /// What a signer with this key signs with.
    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::RsaSha256,
            Self::P256(_) => Algorithm::EcdsaP256Sha256,
            Self::P384(_) => Algorithm::EcdsaP384Sha256,
        }
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
                    key.verify_prehash(&digest(hash, message), &signature)
                        .is_ok()
                })
            }
            (Self::P384(key), Scheme::Ecdsa(hash)) => {
                p384::ecdsa::DerSignature::from_bytes(signature).is_ok_and(|signature| {
                    key.verify_prehash(&digest(hash, message), &signature)
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

fn digest(hash: Hash, message: &[u8]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => Sha256::digest(message).to_vec(),
        Hash::Sha384 => Sha384::digest(message).to_vec(),
        Hash::Sha512 => Sha512::digest(message).to_vec(),
    }
}
