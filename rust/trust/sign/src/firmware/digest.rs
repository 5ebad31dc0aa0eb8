//! The digests that firmware computes.

use std::collections::BTreeMap;
use std::fmt;

use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_SHA_1, ID_SHA_256, ID_SHA_384,
    ID_SHA_512, SHA_1_WITH_RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use der::asn1::ObjectIdentifier;
use rsa::pkcs1v15;
use sha1::{Digest, Sha1};
use signature::Verifier;
use uuid::{Uuid, uuid};

use crate::algorithm::{Hash, KeyKind};
use crate::public_key::PublicKey;

/// A digest that firmware knows. SHA-1 is among them for verification only: EDK II accepts it unless
/// it is built without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DigestKind {
    /// SHA-1, of 20 bytes.
    Sha1,
    /// SHA-256, of 32 bytes.
    Sha256,
    /// SHA-384, of 48 bytes.
    Sha384,
    /// SHA-512, of 64 bytes.
    Sha512,
}

/// The Authenticode digests of one image.
pub type ImageDigests = BTreeMap<DigestKind, Vec<u8>>;

impl DigestKind {
    /// All that EDK II computes.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    fn hash(self) -> Option<Hash> {
        match self {
            Self::Sha1 => None,
            Self::Sha256 => Some(Hash::Sha256),
            Self::Sha384 => Some(Hash::Sha384),
            Self::Sha512 => Some(Hash::Sha512),
        }
    }

    /// The digest of `message`.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        match self.hash() {
            Some(hash) => hash.digest(message),
            None => Sha1::digest(message).to_vec(),
        }
    }

    /// Length in bytes.
    pub fn length(self) -> usize {
        self.hash().map_or(20, Hash::length)
    }

    /// Its name in JSON and on command lines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    pub(super) fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha1 => ID_SHA_1,
            Self::Sha256 => ID_SHA_256,
            Self::Sha384 => ID_SHA_384,
            Self::Sha512 => ID_SHA_512,
        }
    }

    pub(super) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.oid() == oid)
    }

    /// Of a signature list's type, when its entries are digests of images (UEFI 2.10 section
    /// 32.4.1).
    pub fn of_images(list: Uuid) -> Option<Self> {
        match list {
            SHA1 => Some(Self::Sha1),
            SHA256 => Some(Self::Sha256),
            SHA384 => Some(Self::Sha384),
            SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Of a signature list's type, when its entries are digests of certificates' signed parts.
    pub(super) fn of_certificates(list: Uuid) -> Option<Self> {
        match list {
            X509_SHA256 => Some(Self::Sha256),
            X509_SHA384 => Some(Self::Sha384),
            X509_SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// Is `signature` that of `message` by `key`, hashed so? Whether it is RSA or ECDSA, the key
    /// says. ECDSA with SHA-1 is not verified.
    pub(super) fn verifies(self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        match (self.hash(), key) {
            (Some(hash), key) => key.verify(hash, message, signature),
            (None, PublicKey::Rsa(key)) => {
                pkcs1v15::Signature::try_from(signature).is_ok_and(|signature| {
                    let key = pkcs1v15::VerifyingKey::<Sha1>::new(key.clone());
                    key.verify(message, &signature).is_ok()
                })
            }
            (None, _) => false,
        }
    }
}

impl fmt::Display for DigestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hash() {
            Some(hash) => hash.fmt(f),
            None => f.write_str("SHA-1"),
        }
    }
}

/// Is the signature algorithm `oid` of a certificate for keys of this kind, and with which digest?
pub(super) fn of_signature(oid: ObjectIdentifier, key: KeyKind) -> Option<DigestKind> {
    let (rsa, kind) = match oid {
        SHA_1_WITH_RSA_ENCRYPTION => (true, DigestKind::Sha1),
        SHA_256_WITH_RSA_ENCRYPTION => (true, DigestKind::Sha256),
        SHA_384_WITH_RSA_ENCRYPTION => (true, DigestKind::Sha384),
        SHA_512_WITH_RSA_ENCRYPTION => (true, DigestKind::Sha512),
        ECDSA_WITH_SHA_256 => (false, DigestKind::Sha256),
        ECDSA_WITH_SHA_384 => (false, DigestKind::Sha384),
        ECDSA_WITH_SHA_512 => (false, DigestKind::Sha512),
        _ => return None,
    };
    (rsa == (key == KeyKind::Rsa)).then_some(kind)
}

/// `EFI_CERT_SHA1_GUID`
const SHA1: Uuid = uuid!("826ca512-cf10-4ac9-b187-be01496631bd");
/// `EFI_CERT_SHA256_GUID`
const SHA256: Uuid = crate::esl::SHA256;
/// `EFI_CERT_SHA384_GUID`
const SHA384: Uuid = uuid!("ff3e5307-9fd0-48c9-85f1-8ad56c701e01");
/// `EFI_CERT_SHA512_GUID`
const SHA512: Uuid = uuid!("093e0fae-a6c4-4f50-9f1b-d41e2b89c19a");
/// `EFI_CERT_X509_SHA256_GUID`
const X509_SHA256: Uuid = uuid!("3bd2a492-96c0-4079-b420-fcf98ef103ed");
/// `EFI_CERT_X509_SHA384_GUID`
const X509_SHA384: Uuid = uuid!("7076876e-80c2-4ee6-aad2-28b349a6865b");
/// `EFI_CERT_X509_SHA512_GUID`
const X509_SHA512: Uuid = uuid!("446dbf63-2502-4cda-bcfa-2465d2b0fe9d");
