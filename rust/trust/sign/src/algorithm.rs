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
use spki::AlgorithmIdentifierOwned;

/// What a [`Signer`](crate::Signer) signs with. The digest is SHA-256 in every case: it is what
/// every firmware accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017); the signature is as long as the modulus.
    RsaSha256,
    /// ECDSA on P-256 with SHA-256; the signature is a DER `Ecdsa-Sig-Value`.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-256; the signature is a DER `Ecdsa-Sig-Value`.
    EcdsaP384Sha256,
}

impl Algorithm {
    /// The `signatureAlgorithm` of a CMS SignerInfo: `rsaEncryption` with NULL (as sbsign and
    /// osslsigncode write it), or `ecdsa-with-SHA256` without parameters (RFC 5754 section 3).
    pub(crate) fn identifier(self) -> AlgorithmIdentifierOwned {
        match self {
            Self::RsaSha256 => AlgorithmIdentifierOwned {
                oid: RSA_ENCRYPTION,
                parameters: Some(Any::null()),
            },
            Self::EcdsaP256Sha256 | Self::EcdsaP384Sha256 => AlgorithmIdentifierOwned {
                oid: ECDSA_WITH_SHA_256,
                parameters: None,
            },
        }
    }

    /// How a signature by this algorithm is checked.
    pub(crate) fn scheme(self) -> Scheme {
        match self {
            Self::RsaSha256 => Scheme::Rsa(Hash::Sha256),
            Self::EcdsaP256Sha256 | Self::EcdsaP384Sha256 => Scheme::Ecdsa(Hash::Sha256),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RsaSha256 => "RSA with SHA-256",
            Self::EcdsaP256Sha256 => "ECDSA P-256 with SHA-256",
            Self::EcdsaP384Sha256 => "ECDSA P-384 with SHA-256",
        })
    }
}

/// A digest that a signature may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha256,
    Sha384,
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
    pub(crate) fn from_oid(oid: ObjectIdentifier, digest: Option<Hash>) -> Option<Self> {
        match oid {
            RSA_ENCRYPTION => digest.map(Self::Rsa),
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

/// `sha256` with NULL parameters, as sbsign, osslsigncode and Windows write it.
pub(crate) fn sha256_identifier() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned {
        oid: ID_SHA_256,
        parameters: Some(Any::null()),
    }
}
