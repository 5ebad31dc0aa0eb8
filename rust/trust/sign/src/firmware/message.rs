//! The CMS SignedData of a signature, read as OpenSSL's PKCS#7 verification in EDK II reads it: any
//! number of signers, each of which must be right; signed attributes, or none.

use cms::cert::IssuerAndSerialNumber;
use const_oid::db::rfc5911::{ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use der::asn1::ObjectIdentifier;
use der::{Decode, Tag};
use spki::AlgorithmIdentifierOwned;

use super::certificate::Certificate;
use super::digest::DigestKind;
use crate::authenticode::CONTENT_TYPE;
use crate::element::{self, Element};
use crate::public_key::PublicKey;

/// A signature, taken apart.
#[derive(Debug)]
pub(super) struct Message {
    /// What is signed, without tag and length; none when it is no Authenticode statement or not in
    /// the signature.
    statement: Option<Vec<u8>>,
    pub(super) certificates: Vec<Certificate>,
    /// The digests that the signature announces.
    announced: Vec<ObjectIdentifier>,
    signers: Vec<SignerInfo>,
}

#[derive(Debug)]
struct SignerInfo {
    id: IssuerAndSerialNumber,
    digest: ObjectIdentifier,
    attributes: Option<Attributes>,
    signature: Vec<u8>,
}

#[derive(Debug)]
struct Attributes {
    /// As a SET OF, in the order of the file: what is signed.
    signed: Vec<u8>,
    message_digest: Option<Vec<u8>>,
}

/// What is wrong with a signature, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is of something else than an image.
    NotAuthenticode,
    /// It is of an image with another digest.
    OtherImage {
        /// The digest that it is of, as far as it has that length.
        stated: Vec<u8>,
    },
    /// A digest or key that is not verified.
    Algorithm(String),
    /// Somebody changed what is signed.
    Altered,
    /// The signer's key did not make it.
    Bad {
        /// Subject of the signer's certificate.
        signer: String,
    },
}

/// Firmware finds the digest algorithm of a signature at this place, without reading what stands
/// before.
const PLACE_OF_DIGEST: usize = 32;
/// The first length must be of this form: two bytes of length follow (or three, and then nothing
/// stands at its place).
const LONG_LENGTH: u8 = 0x82;

/// The digest by which firmware hashes an image for this signature: the first algorithm that the
/// SignedData announces, looked for at a fixed place.
pub(super) fn digest_kind(pkcs7: &[u8]) -> Option<DigestKind> {
    let second = pkcs7.get(1)?;
    if second & LONG_LENGTH != LONG_LENGTH {
        return None;
    }
    let place = pkcs7.get(PLACE_OF_DIGEST..)?;
    DigestKind::ALL
        .into_iter()
        .find(|kind| place.starts_with(kind.oid().as_bytes()))
}

impl Message {
    /// Reads the ContentInfo at the beginning of `pkcs7`; what follows it is not looked at. `None`
    /// when it is no SignedData, or has no signer.
    pub(super) fn read(pkcs7: &[u8]) -> Option<Self> {
        let outer = element::sequence(pkcs7)?;
        let [kind, content] = outer.as_slice() else {
            return None;
        };
        if ObjectIdentifier::from_der(kind.whole).ok()? != ID_SIGNED_DATA || !content.is_context(0)
        {
            return None;
        }
        let parts = element::sequence(content.value)?;
        let [_version, digests, encapsulated, rest @ ..] = parts.as_slice() else {
            return None;
        };
        let announced = element::all(digests.value)?;
        let announced: Option<Vec<_>> = announced.iter().map(algorithm).collect();
        let infos = rest.last().filter(|last| last.tag == Tag::Set)?;
        let signers: Option<Vec<_>> = element::all(infos.value)?
            .iter()
            .map(SignerInfo::read)
            .collect();
        Some(Self {
            statement: statement(encapsulated),
            certificates: certificates(rest),
            announced: announced?,
            signers: signers.filter(|signers| !signers.is_empty())?,
        })
    }

    /// The certificates of those who signed; `None` when one is not in the signature.
    pub(super) fn signers(&self) -> Option<Vec<&Certificate>> {
        self.signers
            .iter()
            .map(|info| self.certificate(info))
            .collect()
    }

    /// Is a key in it of an elliptic curve?
    pub(super) fn is_elliptic(&self) -> bool {
        self.certificates.iter().any(Certificate::is_elliptic)
    }

    /// Is this a good signature of the image with this digest? Whether anybody trusts who made it is
    /// another question.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(&self, kind: DigestKind, digest: &[u8]) -> Result<(), Flaw> {
        let statement = self.statement.as_ref().ok_or(Flaw::NotAuthenticode)?;
        // The digest is the last thing in the statement; firmware looks there.
        if !statement.ends_with(digest) {
            let from = statement.len().saturating_sub(kind.length());
            return Err(Flaw::OtherImage {
                stated: statement.get(from..).unwrap_or_default().to_vec(),
            });
        }
        self.signers
            .iter()
            .try_for_each(|info| self.check_signer(info, statement))
    }

    fn check_signer(&self, info: &SignerInfo, statement: &[u8]) -> Result<(), Flaw> {
        let unknown = || Flaw::Algorithm(info.digest.to_string());
        let kind = DigestKind::from_oid(info.digest).ok_or_else(unknown)?;
        if !self.announced.contains(&info.digest) {
            return Err(unknown());
        }
        let certificate = self.certificate(info).ok_or(Flaw::NotAuthenticode)?;
        let key = PublicKey::of(&certificate.parsed)
            .map_err(|algorithm| Flaw::Algorithm(algorithm.to_string()))?;
        let signed = match &info.attributes {
            Some(attributes) => {
                if attributes.message_digest.as_deref() != Some(&kind.digest(statement)) {
                    return Err(Flaw::Altered);
                }
                &attributes.signed
            }
            None => statement,
        };
        if kind.verifies(&key, signed, &info.signature) {
            return Ok(());
        }
        Err(Flaw::Bad {
            signer: certificate.subject(),
        })
    }

    fn certificate(&self, info: &SignerInfo) -> Option<&Certificate> {
        self.certificates.iter().find(|certificate| {
            let tbs = certificate.parsed.tbs_certificate();
            info.id.issuer == *tbs.issuer() && info.id.serial_number == *tbs.serial_number()
        })
    }
}

impl SignerInfo {
    fn read(info: &Element<'_>) -> Option<Self> {
        let parts = element::sequence(info.whole)?;
        let [_version, id, digest, rest @ ..] = parts.as_slice() else {
            return None;
        };
        let (attributes, rest) = match rest {
            [first, others @ ..] if first.is_context(0) => {
                (Some(Attributes::read(first.value)?), others)
            }
            _ => (None, rest),
        };
        let [_algorithm, signature, ..] = rest else {
            return None;
        };
        Some(Self {
            id: IssuerAndSerialNumber::from_der(id.whole).ok()?,
            digest: algorithm(digest)?,
            attributes,
            signature: octets(signature)?,
        })
    }
}

impl Attributes {
    fn read(contents: &[u8]) -> Option<Self> {
        let signed = element::set_of(contents)?;
        let mut message_digest = None;
        for attribute in element::all(contents)? {
            let parts = element::sequence(attribute.whole)?;
            let [name, values] = parts.as_slice() else {
                return None;
            };
            let name = ObjectIdentifier::from_der(name.whole).ok()?;
            if name == ID_MESSAGE_DIGEST && message_digest.is_none() {
                message_digest = element::first(values.value).and_then(|value| octets(&value));
            }
        }
        Some(Self {
            signed,
            message_digest,
        })
    }
}

/// The content of an Authenticode signature: a SEQUENCE that is no OCTET STRING.
fn statement(encapsulated: &Element<'_>) -> Option<Vec<u8>> {
    let parts = element::sequence(encapsulated.whole)?;
    let [kind, content] = parts.as_slice() else {
        return None;
    };
    let kind = ObjectIdentifier::from_der(kind.whole).ok()?;
    let content = element::first(content.value).filter(|_| content.is_context(0))?;
    (kind == CONTENT_TYPE && content.tag == Tag::Sequence).then(|| content.value.to_vec())
}

fn certificates(parts: &[Element<'_>]) -> Vec<Certificate> {
    let set = parts.iter().find(|part| part.is_context(0));
    let all = set.and_then(|set| element::all(set.value));
    let all = all.unwrap_or_default();
    all.iter()
        .filter_map(|one| Certificate::read(one.whole))
        .collect()
}

fn algorithm(identifier: &Element<'_>) -> Option<ObjectIdentifier> {
    let identifier = AlgorithmIdentifierOwned::from_der(identifier.whole).ok()?;
    Some(identifier.oid)
}

fn octets(element: &Element<'_>) -> Option<Vec<u8>> {
    (element.tag == Tag::OctetString).then(|| element.value.to_vec())
}
