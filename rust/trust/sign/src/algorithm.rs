//! Signature algorithms: those we sign with, and the wider set that a certificate or a foreign
//! signature may name.

use std::fmt;

use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_SHA_256, ID_SHA_384, ID_SHA_512,
    RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION,
    SHA_512_WITH_RSA_ENCRYPTION,
};
use der::Any;
use der::asn1::ObjectIdentifier;
use sha2::{Digest, Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;

/// A digest that a signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hash {
    /// SHA-256, of 32 bytes: what every firmware accepts.
    Sha256,
    /// SHA-384, of 48 bytes.
    Sha384,
    /// SHA-512, of 64 bytes.
    Sha512,
}

impl Hash {
    /// The digest that an algorithm identifier names; `None` for those that we refuse (SHA-1, MD5)
    /// or do not know.
    pub(crate) fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        match oid {
            ID_SHA_256 => Some(Self::Sha256),
            ID_SHA_384 => Some(Self::Sha384),
            ID_SHA_512 => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) fn oid(self) -> ObjectIdentifier {
        match self {
            Self::Sha256 => ID_SHA_256,
            Self::Sha384 => ID_SHA_384,
            Self::Sha512 => ID_SHA_512,
        }
    }

    /// The digest with NULL parameters, as sbsign, osslsigncode and Windows write it.
    pub(crate) fn identifier(self) -> AlgorithmIdentifierOwned {
        AlgorithmIdentifierOwned {
            oid: self.oid(),
            parameters: Some(Any::null()),
        }
    }

    /// Length of the digest in bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The digest of `message`, [`length`](Self::length) bytes.
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        })
    }
}

/// A kind of key that firmware verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSASSA-PKCS1-v1_5 (RFC 8017); a signature is as long as the modulus.
    Rsa,
    /// ECDSA on P-256; a signature is a DER `Ecdsa-Sig-Value`.
    P256,
    /// ECDSA on P-384; a signature is a DER `Ecdsa-Sig-Value`.
    P384,
}

impl KeyKind {
    /// The `signatureAlgorithm` of a CMS SignerInfo: `rsaEncryption` with NULL (as sbsign and
    /// osslsigncode write it), or `ecdsa-with-SHA256` and its like without parameters (RFC 5754
    /// section 3).
    pub(crate) fn identifier(self, hash: Hash) -> AlgorithmIdentifierOwned {
        let ecdsa = match hash {
            Hash::Sha256 => ECDSA_WITH_SHA_256,
            Hash::Sha384 => ECDSA_WITH_SHA_384,
            Hash::Sha512 => ECDSA_WITH_SHA_512,
        };
        match self {
            Self::Rsa => AlgorithmIdentifierOwned {
                oid: RSA_ENCRYPTION,
                parameters: Some(Any::null()),
            },
            Self::P256 | Self::P384 => AlgorithmIdentifierOwned {
                oid: ecdsa,
                parameters: None,
            },
        }
    }

    /// How a signature of this kind of key is checked.
    pub(crate) fn scheme(self, hash: Hash) -> Scheme {
        match self {
            Self::Rsa => Scheme::Rsa(hash),
            Self::P256 | Self::P384 => Scheme::Ecdsa(hash),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "RSA",
            Self::P256 => "ECDSA P-256",
            Self::P384 => "ECDSA P-384",
        })
    }
}

/// The padding and the digest of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Rsa(Hash),
    Ecdsa(Hash),
}

impl Scheme {
    /// The scheme that a signature algorithm names. `digest` is the one named beside it, which only
    /// the bare `rsaEncryption` needs.
    pub(crate) fn from_oid(oid: ObjectIdentifier, digest: Hash) -> Option<Self> {
        match oid {
            RSA_ENCRYPTION => Some(Self::Rsa(digest)),
            SHA_256_WITH_RSA_ENCRYPTION => Some(Self::Rsa(Hash::Sha256)),
            SHA_384_WITH_RSA_ENCRYPTION => Some(Self::Rsa(Hash::Sha384)),
            SHA_512_WITH_RSA_ENCRYPTION => Some(Self::Rsa(Hash::Sha512)),
            ECDSA_WITH_SHA_256 => Some(Self::Ecdsa(Hash::Sha256)),
            ECDSA_WITH_SHA_384 => Some(Self::Ecdsa(Hash::Sha384)),
            ECDSA_WITH_SHA_512 => Some(Self::Ecdsa(Hash::Sha512)),
            _ => None,
        }
    }
}
