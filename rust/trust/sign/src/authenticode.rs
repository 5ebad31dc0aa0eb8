//! Authenticode: the signature that firmware asks of a PE image.
//!
//! It is a CMS SignedData over the image's Authenticode digest ("Windows Authenticode Portable
//! Executable Signature Format", 2008; RFC 2315 and 5652). The digest itself is computed by
//! `touchstone_pe`; signatures are verified by [`firmware`](crate::firmware).

pub mod detached;
mod indirect_data;

use std::fmt;

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier,
    SignerInfo, SignerInfos,
};
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Encode};
use x509_cert::Certificate;
use x509_cert::attr::Attribute;

use crate::algorithm::{Hash, KeyKind};
use crate::signer::{CertifiedSigner, SignError};

pub(crate) use indirect_data::CONTENT_TYPE;

/// The Authenticode digest of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDigest {
    hash: Hash,
    bytes: Vec<u8>,
}

impl ImageDigest {
    /// The digest `bytes` that `hash` gave; `None` when the length is not that of `hash`.
    pub fn new(hash: Hash, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == hash.length()).then(|| Self {
            hash,
            bytes: bytes.to_vec(),
        })
    }

    /// A SHA-256 digest.
    pub fn sha256(bytes: &[u8; 32]) -> Self {
        Self {
            hash: Hash::Sha256,
            bytes: bytes.to_vec(),
        }
    }

    /// What gave it.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The signature of an image with the Authenticode `digest`: the DER of a ContentInfo, to
/// be stored in the image's certificate table.
///
/// The CMS digest is by the same hash as the image's. There is no signing time in it: with RSA or a key file the same digest and signer always give
/// the same bytes. The signature has been verified with the signer's certificate.
///
/// # Errors
/// When the signer does not sign, or what it makes does not verify.
pub fn signature(digest: &ImageDigest, signer: &CertifiedSigner) -> Result<Vec<u8>, SignError> {
    let content = indirect_data::encode(digest)?;
    let attributes = signed_attributes(digest.hash, &content)?;
    // What is signed is the SET OF, not the [0] that stands in its place in the SignerInfo (RFC
    // 5652 section 5.4).
    let signature = signer.sign(digest.hash, &attributes.to_der()?)?;
    let parts = Parts {
        hash: digest.hash,
        content,
        attributes,
        certificate: signer.certificate(),
        kind: signer.kind(),
        certificates: certificates(signer)?,
        signature,
    };
    Ok(parts.assemble()?)
}

/// Of what a signature consists.
struct Parts<'a> {
    hash: Hash,
    content: Any,
    attributes: SignedAttributes,
    /// The signer's.
    certificate: &'a Certificate,
    kind: KeyKind,
    certificates: CertificateSet,
    signature: Vec<u8>,
}

impl Parts<'_> {
    /// The DER of the ContentInfo.
    fn assemble(self) -> Result<Vec<u8>, der::Error> {
        let signed_data = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![self.hash.identifier()])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: indirect_data::CONTENT_TYPE,
                econtent: Some(self.content),
            },
            certificates: Some(self.certificates),
            crls: None,
            signer_infos: SignerInfos::try_from(vec![SignerInfo {
                version: CmsVersion::V1,
                sid: identifier(self.certificate),
                digest_alg: self.hash.identifier(),
                signed_attrs: Some(self.attributes),
                signature_algorithm: self.kind.identifier(self.hash),
                signature: OctetString::new(self.signature)?,
                unsigned_attrs: None,
            }])?,
        };
        ContentInfo {
            content_type: ID_SIGNED_DATA,
            content: Any::encode_from(&signed_data)?,
        }
        .to_der()
    }
}

fn identifier(certificate: &Certificate) -> SignerIdentifier {
    let certificate = certificate.tbs_certificate();
    SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
        issuer: certificate.issuer().clone(),
        serial_number: certificate.serial_number().clone(),
    })
}

/// Content type and message digest, and nothing else. The message digest is over the contents of
/// the SEQUENCE: neither its tag nor its length (RFC 2315 section 9.3).
fn signed_attributes(hash: Hash, content: &Any) -> Result<SignedAttributes, der::Error> {
    let digest = OctetString::new(hash.digest(content.value()))?;
    SetOfVec::try_from(vec![
        attribute(
            ID_CONTENT_TYPE,
            Any::encode_from(&indirect_data::CONTENT_TYPE)?,
        )?,
        attribute(ID_MESSAGE_DIGEST, Any::encode_from(&digest)?)?,
    ])
}

fn attribute(oid: ObjectIdentifier, value: Any) -> Result<Attribute, der::Error> {
    Ok(Attribute {
        oid,
        values: SetOfVec::try_from(vec![value])?,
    })
}

/// The signer's certificate and its chain, each once.
fn certificates(signer: &CertifiedSigner) -> Result<CertificateSet, der::Error> {
    certificate_set(std::iter::once(signer.certificate()).chain(signer.chain()))
}

pub(crate) fn certificate_set<'a>(
    certificates: impl IntoIterator<Item = &'a Certificate>,
) -> Result<CertificateSet, der::Error> {
    let mut all = Vec::new();
    for certificate in certificates {
        if !all.contains(&certificate) {
            all.push(certificate);
        }
    }
    CertificateSet::try_from(
        all.into_iter()
            .cloned()
            .map(CertificateChoices::Certificate)
            .collect::<Vec<_>>(),
    )
}

#[cfg(test)]
mod tests;
