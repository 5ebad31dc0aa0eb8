//! Authenticode: the signature that firmware asks of a PE image.
//!
//! It is a CMS SignedData over the image's Authenticode digest ("Windows Authenticode Portable
//! Executable Signature Format", 2008; RFC 2315 and 5652). The digest itself is computed by
//! `touchstone_pe`.

mod indirect_data;
mod verify;

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedAttributes, SignedData, SignerIdentifier,
    SignerInfo, SignerInfos,
};
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use der::asn1::{ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Encode};
use sha2::{Digest, Sha256};
use x509_cert::attr::Attribute;

use crate::algorithm::sha256_identifier;
use crate::signer::{SignError, Signer, sign_checked};

pub use verify::{VerifyError, signer_certificate, verify};

/// The signature of an image with the Authenticode SHA-256 `digest`: the DER of a ContentInfo, to
/// be stored in the image's certificate table.
///
/// There is no signing time in it: with RSA or a key file the same digest and signer always give
/// the same bytes. The signature has been verified with the signer's certificate.
///
/// # Errors
/// When the signer does not sign, or what it makes does not verify.
pub fn signature(digest: &[u8; 32], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let content = indirect_data::encode(digest)?;
    let attributes = signed_attributes(&content)?;
    let signed_data = SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![sha256_identifier()])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: indirect_data::CONTENT_TYPE,
            econtent: Some(content),
        },
        certificates: Some(certificates(signer)?),
        crls: None,
        signer_infos: SignerInfos::try_from(vec![signer_info(attributes, signer)?])?,
    };
    let content_info = ContentInfo {
        content_type: ID_SIGNED_DATA,
        content: Any::encode_from(&signed_data)?,
    };
    Ok(content_info.to_der()?)
}

/// Content type and message digest, and nothing else. The message digest is over the contents of
/// the SEQUENCE: neither its tag nor its length (RFC 2315 section 9.3).
fn signed_attributes(content: &Any) -> Result<SignedAttributes, der::Error> {
    let digest = OctetString::new(Sha256::digest(content.value()).to_vec())?;
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

fn signer_info(attributes: SignedAttributes, signer: &dyn Signer) -> Result<SignerInfo, SignError> {
    let certificate = signer.certificate().tbs_certificate();
    // What is signed is the SET OF, not the [0] that stands in its place in the SignerInfo (RFC
    // 5652 section 5.4).
    let signature = sign_checked(signer, &attributes.to_der()?)?;
    Ok(SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.issuer().clone(),
            serial_number: certificate.serial_number().clone(),
        }),
        digest_alg: sha256_identifier(),
        signed_attrs: Some(attributes),
        signature_algorithm: signer.algorithm().identifier(),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    })
}

/// The signer's certificate and its chain, each once.
fn certificates(signer: &dyn Signer) -> Result<CertificateSet, der::Error> {
    let mut all = vec![signer.certificate()];
    for certificate in signer.chain() {
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
