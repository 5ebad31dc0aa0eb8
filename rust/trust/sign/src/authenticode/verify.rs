//! Would a verifier that trusts these certificates accept this signature?

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedAttributes, SignedData, SignerIdentifier, SignerInfo};
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{Any, AnyRef, Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};

use super::ImageDigest;
use super::indirect_data::{self, NoDigest};
use crate::algorithm::{Hash, Scheme};
use crate::certificate;
use crate::public_key::PublicKey;

/// Why a signature is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are something else, or damaged.
    #[error("not an Authenticode signature: {0}")]
    NotAuthenticode(&'static str),
    /// A digest or signature algorithm that we do not verify, such as SHA-1.
    #[error(
        "the signature uses the algorithm {0}, which is not verified: sign with SHA-256 and RSA or ECDSA"
    )]
    Algorithm(ObjectIdentifier),
    /// The signature is of another image, or the image was changed after it was signed.
    #[error(
        "the image was changed after it was signed: its digest is {image}, the signature is of {signed}"
    )]
    DigestMismatch {
        /// The Authenticode digest of the image.
        image: ImageDigest,
        /// The digest that was signed.
        signed: ImageDigest,
    },
    /// The signature does not verify with the certificate that it names.
    #[error("the signature is bad: the key of {signer} did not make it")]
    BadSignature {
        /// Subject of the certificate that the signature names.
        signer: String,
    },
    /// The signature is right, but nobody whom we trust made it.
    #[error(
        "signed by {signer}, which is not trusted: it is none of the trusted certificates and none of them issued it"
    )]
    Untrusted {
        /// Subject of the signer's certificate.
        signer: String,
    },
}

const MALFORMED: VerifyError = VerifyError::NotAuthenticode("it is no CMS SignedData in DER");

/// Checks the signature `pkcs7` (a ContentInfo in DER, which zeros to a multiple of 8 bytes may
/// follow) of an image with these Authenticode `digests`, one of which must be by the hash that the
/// signature names: see [`signed_hash`].
///
/// As firmware does, it ignores time. The signer's certificate must be one of `trusted` or be
/// issued directly by one of them that is a certificate authority; longer chains are not followed.
///
/// # Errors
/// The reason why a verifier that trusts `trusted` refuses it.
pub fn verify(
    pkcs7: &[u8],
    digests: &[ImageDigest],
    trusted: &[Certificate],
) -> Result<(), VerifyError> {
    let signed = Signed::read(pkcs7)?;
    signed.check_digest(digests)?;
    let signer = signed.signer_certificate()?;
    signed.check_signature(signer)?;
    if is_trusted(signer, trusted) {
        Ok(())
    } else {
        Err(VerifyError::Untrusted {
            signer: certificate::subject(signer),
        })
    }
}

/// The certificate of whoever made the signature `pkcs7`, as the signature itself carries it: nothing is verified.
///
/// # Errors
/// [`VerifyError::NotAuthenticode`].
pub fn signer_certificate(pkcs7: &[u8]) -> Result<Certificate, VerifyError> {
    Signed::read(pkcs7)?.signer_certificate().cloned()
}

/// The hash of the image's digest in the signature `pkcs7`: nothing is verified.
///
/// # Errors
/// [`VerifyError::NotAuthenticode`], or [`VerifyError::Algorithm`] for a hash that is not verified.
pub fn signed_hash(pkcs7: &[u8]) -> Result<Hash, VerifyError> {
    Signed::read(pkcs7)?.statement().map(|digest| digest.hash())
}

/// The parts of a signature that is Authenticode in form.
struct Signed {
    content: Any,
    certificates: Vec<Certificate>,
    signer: SignerInfo,
    attributes: SignedAttributes,
    /// The signed attributes as they stand in the file, with the tag of a SET OF. Others do not
    /// always sort them, and decoding would.
    signed_bytes: Vec<u8>,
}

impl Signed {
    fn read(pkcs7: &[u8]) -> Result<Self, VerifyError> {
        let content_info = ContentInfo::from_der(without_padding(pkcs7)?).map_err(|_| MALFORMED)?;
        if content_info.content_type != ID_SIGNED_DATA {
            return Err(MALFORMED);
        }
        let signed_data: SignedData = content_info.content.decode_as().map_err(|_| MALFORMED)?;
        if signed_data.encap_content_info.econtent_type != indirect_data::CONTENT_TYPE {
            return Err(VerifyError::NotAuthenticode(
                "what is signed is no SpcIndirectDataContent",
            ));
        }
        let content = signed_data
            .encap_content_info
            .econtent
            .filter(|content| content.tag() == Tag::Sequence)
            .ok_or(VerifyError::NotAuthenticode("what is signed is not in it"))?;
        let signer = only(signed_data.signer_infos.0.into_vec()).ok_or(
            VerifyError::NotAuthenticode("it must have exactly one signer"),
        )?;
        let attributes = signer
            .signed_attrs
            .clone()
            .ok_or(VerifyError::NotAuthenticode("it has no signed attributes"))?;
        let signed_bytes =
            signed_attribute_bytes(content_info.content.value()).map_err(|_| MALFORMED)?;
        let certificates = signed_data
            .certificates
            .map(|set| set.0.into_vec())
            .unwrap_or_default();
        let certificates = certificates.into_iter().filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate),
            CertificateChoices::Other(_) => None,
        });
        Ok(Self {
            content,
            certificates: certificates.collect(),
            signer,
            attributes,
            signed_bytes,
        })
    }

    /// The digest of the image that the signature is about.
    fn statement(&self) -> Result<ImageDigest, VerifyError> {
        indirect_data::digest(&self.content).map_err(|reason| match reason {
            NoDigest::Malformed => {
                VerifyError::NotAuthenticode("what is signed is not the digest of an image")
            }
            NoDigest::OtherAlgorithm(oid) => VerifyError::Algorithm(oid),
        })
    }

    /// Is it a statement about an image with one of these digests, and is this statement the one
    /// that is signed?
    fn check_digest(&self, images: &[ImageDigest]) -> Result<(), VerifyError> {
        let signed = self.statement()?;
        let hash = signed.hash();
        let image = images
            .iter()
            .find(|image| image.hash() == hash)
            .ok_or_else(|| VerifyError::Algorithm(hash.oid()))?;
        if signed != *image {
            return Err(VerifyError::DigestMismatch {
                image: image.clone(),
                signed,
            });
        }
        let content_type: Option<ObjectIdentifier> = self.attribute(ID_CONTENT_TYPE);
        if content_type != Some(indirect_data::CONTENT_TYPE) {
            return Err(VerifyError::NotAuthenticode(
                "its content type attribute is missing or another",
            ));
        }
        let message_digest: Option<OctetString> = self.attribute(ID_MESSAGE_DIGEST);
        let message_digest =
            message_digest.ok_or(VerifyError::NotAuthenticode("it has no message digest"))?;
        if message_digest.as_bytes() == self.hash()?.digest(self.content.value()) {
            Ok(())
        } else {
            Err(VerifyError::NotAuthenticode(
                "its message digest is not of its content",
            ))
        }
    }

    /// The one value of the one signed attribute `oid`.
    fn attribute<T: for<'a> Decode<'a>>(&self, oid: ObjectIdentifier) -> Option<T> {
        let attribute = only(
            self.attributes
                .iter()
                .filter(|attribute| attribute.oid == oid),
        )?;
        T::from_der(&only(attribute.values.iter())?.to_der().ok()?).ok()
    }

    fn hash(&self) -> Result<Hash, VerifyError> {
        let oid = self.signer.digest_alg.oid;
        Hash::from_oid(oid).ok_or(VerifyError::Algorithm(oid))
    }

    fn signer_certificate(&self) -> Result<&Certificate, VerifyError> {
        self.certificates
            .iter()
            .find(|certificate| identifies(&self.signer.sid, certificate))
            .ok_or(VerifyError::NotAuthenticode(
                "the signer's certificate is not in it",
            ))
    }

    fn check_signature(&self, signer: &Certificate) -> Result<(), VerifyError> {
        let oid = self.signer.signature_algorithm.oid;
        let scheme =
            Scheme::from_oid(oid, Some(self.hash()?)).ok_or(VerifyError::Algorithm(oid))?;
        let key = PublicKey::of(signer).map_err(VerifyError::Algorithm)?;
        if key.verifies(scheme, &self.signed_bytes, self.signer.signature.as_bytes()) {
            Ok(())
        } else {
            Err(VerifyError::BadSignature {
                signer: certificate::subject(signer),
            })
        }
    }
}

fn identifies(id: &SignerIdentifier, certificate: &Certificate) -> bool {
    let certificate = certificate.tbs_certificate();
    match id {
        SignerIdentifier::IssuerAndSerialNumber(id) => {
            id.issuer == *certificate.issuer() && id.serial_number == *certificate.serial_number()
        }
        SignerIdentifier::SubjectKeyIdentifier(id) => {
            let key = certificate.get_extension::<SubjectKeyIdentifier>();
            matches!(key, Ok(Some((_, key))) if key == *id)
        }
    }
}

/// Is `signer` one of `trusted`, or issued by one?
fn is_trusted(signer: &Certificate, trusted: &[Certificate]) -> bool {
    trusted
        .iter()
        .any(|anchor| anchor == signer || issued(anchor, signer))
}

fn issued(issuer: &Certificate, certificate: &Certificate) -> bool {
    let algorithm = certificate.signature_algorithm();
    let (Ok(key), Some(scheme)) = (PublicKey::of(issuer), Scheme::from_oid(algorithm.oid, None))
    else {
        return false;
    };
    let tbs = certificate.tbs_certificate();
    let (Ok(signed), Some(signature)) = (tbs.to_der(), certificate.signature().as_bytes()) else {
        return false;
    };
    issuer.tbs_certificate().subject() == tbs.issuer()
        && may_issue(issuer)
        && tbs.signature() == algorithm
        && key.verifies(scheme, &signed, signature)
}

/// A certificate authority, as its extensions say (RFC 5280 sections 4.2.1.3 and 4.2.1.9).
fn may_issue(certificate: &Certificate) -> bool {
    let certificate = certificate.tbs_certificate();
    let constraints = certificate.get_extension::<BasicConstraints>();
    let authority = matches!(constraints, Ok(Some((_, constraints))) if constraints.ca);
    let usage = match certificate.get_extension::<KeyUsage>() {
        Ok(Some((_, usage))) => usage.key_cert_sign(),
        Ok(None) => true,
        Err(_) => false,
    };
    authority && usage
}

/// The one structure in `bytes`. Up to seven zeros may follow: osslsigncode counts the padding of
/// the certificate table in.
fn without_padding(bytes: &[u8]) -> Result<&[u8], VerifyError> {
    let mut reader = SliceReader::new(bytes).map_err(|_| MALFORMED)?;
    let structure = reader.tlv_bytes().map_err(|_| MALFORMED)?;
    let padding = bytes.get(structure.len()..).unwrap_or_default();
    if padding.len() < 8 && padding.iter().all(|&byte| byte == 0) {
        Ok(structure)
    } else {
        Err(VerifyError::NotAuthenticode("other bytes follow it"))
    }
}

/// Of the contents of a SignedData: the signed attributes of its first signer, exactly as they
/// stand there, as a SET OF.
fn signed_attribute_bytes(signed_data: &[u8]) -> Result<Vec<u8>, der::Error> {
    const SIGNED_ATTRIBUTES: Tag = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(0),
    };
    let missing = || der::Error::from(der::ErrorKind::Failed);

    let signer_infos = elements(signed_data)?.pop().ok_or_else(missing)?;
    let signer_info = elements(signer_infos.value())?
        .into_iter()
        .next()
        .ok_or_else(missing)?;
    // After version, signer identifier (which may be a [0] as well) and digest algorithm.
    let attributes = elements(signer_info.value())?
        .into_iter()
        .nth(3)
        .filter(|element| element.tag() == SIGNED_ATTRIBUTES);
    AnyRef::new(Tag::Set, attributes.ok_or_else(missing)?.value())?.to_der()
}

fn elements(contents: &[u8]) -> Result<Vec<AnyRef<'_>>, der::Error> {
    let mut reader = SliceReader::new(contents)?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(AnyRef::decode(&mut reader)?);
    }
    Ok(elements)
}

/// The only item there is.
fn only<T>(items: impl IntoIterator<Item = T>) -> Option<T> {
    let mut items = items.into_iter();
    let first = items.next()?;
    items.next().is_none().then_some(first)
}
