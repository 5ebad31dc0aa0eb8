//! Signing in two steps: what is to be signed goes out as a file, the bare signature comes back.
//!
//! The file holds the signed attributes of the SignerInfo in DER, with the tag of a SET OF (RFC 5652
//! section 5.4): systemd-sbsign 262 writes and takes the same (`--prepare-offline-signing`,
//! `--signed-data`). Its attributes have a signing time beside ours.

use cms::content_info::ContentInfo;
use cms::signed_data::{SignedAttributes, SignedData};
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{Decode, Encode};
use rsa::traits::PublicKeyParts;
use x509_cert::Certificate;

use super::{ImageDigest, Parts, certificate_set, indirect_data, signed_attributes};
use crate::algorithm::Hash;
use crate::attributes;
use crate::certificate::{self, CertificateError};
use crate::private_key::RSA_BITS;
use crate::public_key::PublicKey;
use crate::signer::SignError;

/// Why a detached signature is not attached.
#[derive(Debug, thiserror::Error)]
pub enum DetachedError {
    /// Something else, cut short, or with bytes behind it.
    #[error("the signed data are no signed attributes in DER")]
    NotAttributes,
    /// Attributes of another kind of signature, or without what every one of them has.
    #[error("the signed data are of no signature of an image: {0}")]
    NotOfAnImage(&'static str),
    /// The attributes are of another image than this one.
    #[error("the signed data were prepared for another image, or this one was changed since")]
    OtherImage,
    /// The signature is not of these attributes, or by another key.
    #[error("the key of {subject} did not make this signature of the signed data")]
    WrongSignature {
        /// Subject of the certificate.
        subject: String,
    },
    /// The certificate, or a structure that cannot be written.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl From<der::Error> for DetachedError {
    fn from(error: der::Error) -> Self {
        Self::Sign(error.into())
    }
}

/// What is to be signed for an image with the Authenticode `digest`, by the hash that gave it. The
/// same digest gives the same bytes: [`signature`](super::signature) signs them too.
///
/// # Errors
/// When a structure cannot be written.
pub fn prepare(digest: &ImageDigest) -> Result<Vec<u8>, SignError> {
    let content = indirect_data::encode(digest)?;
    Ok(signed_attributes(digest.hash, &content)?.to_der()?)
}

/// Checks that the certificate is of a key that can sign boot files.
///
/// # Errors
/// [`SignError::UnsupportedKey`] or [`SignError::RsaSize`].
pub fn check_key(certificate: &Certificate) -> Result<PublicKey, SignError> {
    let key = PublicKey::of(certificate).map_err(SignError::UnsupportedKey)?;
    if let PublicKey::Rsa(rsa) = &key {
        let bits = rsa.n().bits();
        if !RSA_BITS.contains(&bits) {
            return Err(SignError::RsaSize { bits });
        }
    }
    Ok(key)
}

/// Signed attributes that [`prepare`] made, or another program.
#[derive(Clone, Debug)]
pub struct Prepared {
    attributes: SignedAttributes,
    bytes: Vec<u8>,
    message_digest: OctetString,
    hash: Hash,
}

impl Prepared {
    /// Reads the attributes, which must be those of an Authenticode signature; others may stand
    /// beside them, such as a signing time.
    ///
    /// # Errors
    /// [`DetachedError::NotAttributes`] and [`DetachedError::NotOfAnImage`].
    pub fn read(bytes: &[u8]) -> Result<Self, DetachedError> {
        let attributes =
            SignedAttributes::from_der(bytes).map_err(|_| DetachedError::NotAttributes)?;
        // Decoding sorts: in another order they would not be what was signed.
        if !attributes.to_der().is_ok_and(|again| again == bytes) {
            return Err(DetachedError::NotAttributes);
        }
        let content_type: Option<ObjectIdentifier> =
            attributes::value(&attributes, ID_CONTENT_TYPE);
        if content_type != Some(indirect_data::CONTENT_TYPE) {
            return Err(DetachedError::NotOfAnImage(
                "their content type is missing or another",
            ));
        }
        let message_digest: OctetString = attributes::value(&attributes, ID_MESSAGE_DIGEST).ok_or(
            DetachedError::NotOfAnImage("they have no message digest, or several"),
        )?;
        let hash = [Hash::Sha256, Hash::Sha384, Hash::Sha512]
            .into_iter()
            .find(|hash| hash.length() == message_digest.as_bytes().len())
            .ok_or(DetachedError::NotOfAnImage(
                "their message digest is none of SHA-256, SHA-384 and SHA-512",
            ))?;
        Ok(Self {
            attributes,
            bytes: bytes.to_vec(),
            message_digest,
            hash,
        })
    }

    /// The hash of the image's digest and of the signature.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The signature of the image with this Authenticode `digest` by [`hash`](Self::hash): the DER
    /// of a ContentInfo, as from [`signature`](super::signature). `signature` is over the prepared
    /// bytes: raw for RSA, a DER `Ecdsa-Sig-Value` for ECDSA. The first certificate is that of its key, the others
    /// are the chain.
    ///
    /// # Errors
    /// Whatever speaks against it: nothing comes out that its own certificate does not verify.
    pub fn attach(
        &self,
        digest: &ImageDigest,
        certificates: &[Certificate],
        signature: &[u8],
    ) -> Result<Vec<u8>, DetachedError> {
        let certificate = certificates
            .first()
            .ok_or(SignError::from(CertificateError::NotACertificate))?;
        let key = check_key(certificate)?;
        let content = indirect_data::encode(digest)?;
        if digest.hash != self.hash
            || self.hash.digest(content.value()) != self.message_digest.as_bytes()
        {
            return Err(DetachedError::OtherImage);
        }
        if !key.verify(self.hash, &self.bytes, signature) {
            return Err(DetachedError::WrongSignature {
                subject: certificate::subject(certificate),
            });
        }
        let parts = Parts {
            hash: self.hash,
            content,
            attributes: self.attributes.clone(),
            certificate,
            kind: key.kind(),
            certificates: certificate_set(certificates)?,
            signature: signature.to_vec(),
        };
        Ok(parts.assemble()?)
    }
}

/// Why a whole signature is not the one that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum UnconfirmedError {
    /// Something else, or with bytes behind it.
    #[error("it is no signature of an image")]
    NotASignature,
    /// It is of another image, or by another key.
    #[error(transparent)]
    Detached(#[from] DetachedError),
    /// The signature is good, and other things stand around it.
    #[error(
        "what stands around the signature is not what was asked for: the certificates beside it are perhaps others"
    )]
    Other,
}

/// Confirms a whole signature that somebody else made: it is, byte for byte, the one of the image with this Authenticode `digest` that
/// [`signature`](super::signature) makes with these certificates, of which the first is that of its key.
///
/// # Errors
/// [`UnconfirmedError`].
pub fn confirm(
    signature: &[u8],
    digest: &ImageDigest,
    certificates: &[Certificate],
) -> Result<(), UnconfirmedError> {
    let bare = bare(signature).ok_or(UnconfirmedError::NotASignature)?;
    let prepared = prepare(digest).map_err(DetachedError::from)?;
    let expected = Prepared::read(&prepared)?.attach(digest, certificates, &bare)?;
    match expected == signature {
        true => Ok(()),
        false => Err(UnconfirmedError::Other),
    }
}

/// The bare signature of the one signer of a SignedData.
fn bare(signature: &[u8]) -> Option<Vec<u8>> {
    let content = ContentInfo::from_der(signature).ok()?.content;
    let signed: SignedData = content.decode_as().ok()?;
    match signed.signer_infos.0.as_slice() {
        [signer] => Some(signer.signature.as_bytes().to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
