//! Reading updates, and asking what a signature is of.

use cms::cert::CertificateChoices;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use const_oid::db::rfc5911::{ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA};
use der::asn1::{ObjectIdentifier, OctetString};
use der::{AnyRef, Decode, Reader, SliceReader};
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::{CERTIFICATE_HEADER, EfiTime, PKCS7, Update, Variable, WIN_CERTIFICATE};
use crate::algorithm::{Hash, Scheme};
use crate::attributes;
use crate::certificate;
use crate::element;
use crate::public_key::PublicKey;

/// Length of an `EFI_TIME` in bytes.
const TIME: usize = 16;

/// Why bytes are no signed update, or not one of this variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The header of an update is not there, or its length goes past the end.
    #[error("not a signed update of a variable (.auth): {0}")]
    NotAnUpdate(&'static str),
    /// The signature is none that firmware reads.
    #[error("the update's signature is unreadable: {0}")]
    Malformed(&'static str),
    /// A digest or signature algorithm that is not verified.
    #[error("the update is signed with the algorithm {0}, which is not verified")]
    Algorithm(ObjectIdentifier),
    /// The signature is of another variable, another kind of write, other lists, or by another key.
    #[error("the signature is bad: the key of {signer} did not sign this for {variable}")]
    BadSignature {
        /// Subject of the certificate that the signature names.
        signer: String,
        /// The variable that was asked about, and whether it was about appending.
        variable: String,
    },
}

/// An update that somebody signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUpdate {
    /// When it was made, by its own word, which the signature covers.
    pub time: EfiTime,
    /// The signature lists.
    pub lists: Vec<u8>,
    /// The SignedData, in DER.
    signature: Vec<u8>,
}

impl SignedUpdate {
    /// Reads the header of an update. Its signature and its lists are taken as they are.
    ///
    /// # Errors
    /// [`AuthError::NotAnUpdate`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AuthError> {
        let short = AuthError::NotAnUpdate("it is too short");
        let (time, rest) = bytes.split_first_chunk::<TIME>().ok_or(short.clone())?;
        let (length, _) = rest.split_first_chunk::<4>().ok_or(short.clone())?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (certificate, lists) = rest
            .split_at_checked(length)
            .ok_or(AuthError::NotAnUpdate("its signature goes past the end"))?;
        let (header, signature) = certificate
            .split_at_checked(CERTIFICATE_HEADER)
            .ok_or(short)?;
        let (kind, guid) = header.split_at_checked(8).unwrap_or_default();
        if !kind.ends_with(&WIN_CERTIFICATE) || guid != PKCS7.to_bytes_le() {
            return Err(AuthError::NotAnUpdate("it has no PKCS #7 signature"));
        }
        Ok(Self {
            time: EfiTime::from_bytes(*time).ok_or(AuthError::NotAnUpdate(
                "its time is not in UTC, or finer than seconds",
            ))?,
            lists: lists.to_vec(),
            signature: signature.to_vec(),
        })
    }

    /// The certificate of whoever signed, as the signature itself carries it: nothing is verified.
    ///
    /// # Errors
    /// [`AuthError::Malformed`].
    pub fn signer(&self) -> Result<Certificate, AuthError> {
        Signature::read(&self.signature).map(|signature| signature.certificate)
    }

    /// Checks that the signature is of this update of `variable`, by the key of [`Self::signer`].
    /// Whether that key may sign it is the machine's to say.
    ///
    /// # Errors
    /// The reason why firmware refuses it.
    pub fn verify(&self, variable: Variable, append: bool) -> Result<(), AuthError> {
        let update = Update {
            variable,
            append,
            time: self.time,
            lists: &self.lists,
        };
        let signature = Signature::read(&self.signature)?;
        if signature.is_of(&update.to_be_signed())? {
            return Ok(());
        }
        let how = if append { "appending to" } else { "replacing" };
        Err(AuthError::BadSignature {
            signer: certificate::subject(&signature.certificate),
            variable: format!("{how} {variable}"),
        })
    }

    /// Which variable the update is of, and whether it is appended: the file does not say it, the
    /// signature does. None when it is of none of them.
    ///
    /// # Errors
    /// When the signature cannot be read.
    pub fn variable(&self) -> Result<Option<(Variable, bool)>, AuthError> {
        for variable in Variable::ALL {
            for append in [false, true] {
                match self.verify(variable, append) {
                    Ok(()) => return Ok(Some((variable, append))),
                    Err(AuthError::BadSignature { .. }) => {}
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(None)
    }
}

/// A SignedData of one signer.
struct Signature {
    signer: SignerInfo,
    certificate: Certificate,
    /// The signed attributes as they stand in the file, with the tag of a SET OF: sbvarsign has
    /// some, sign-efi-sig-list has none.
    attributes: Option<Vec<u8>>,
}

const MALFORMED: AuthError = AuthError::Malformed("it is no SignedData in DER");

impl Signature {
    fn read(der: &[u8]) -> Result<Self, AuthError> {
        let der = bare(der)?;
        let data = SignedData::from_der(&der).map_err(|_| MALFORMED)?;
        if data.encap_content_info.econtent_type != ID_DATA
            || data.encap_content_info.econtent.is_some()
        {
            return Err(AuthError::Malformed("it carries a content of its own"));
        }
        let [signer] = <[SignerInfo; 1]>::try_from(data.signer_infos.0.into_vec())
            .map_err(|_| AuthError::Malformed("it must have exactly one signer"))?;
        let certificates = data.certificates.map(|set| set.0.into_vec());
        let certificate = certificates
            .unwrap_or_default()
            .into_iter()
            .filter_map(|choice| match choice {
                CertificateChoices::Certificate(certificate) => Some(certificate),
                CertificateChoices::Other(_) => None,
            })
            .find(|certificate| identifies(&signer.sid, certificate))
            .ok_or(AuthError::Malformed(
                "its signer's certificate is not in it",
            ))?;
        let attributes = match signer.signed_attrs {
            Some(_) => Some(signed_attributes(&der).ok_or(MALFORMED)?),
            None => None,
        };
        Ok(Self {
            signer,
            certificate,
            attributes,
        })
    }

    /// Is it a right signature of `message`?
    fn is_of(&self, message: &[u8]) -> Result<bool, AuthError> {
        let digest = self.signer.digest_alg.oid;
        let hash = Hash::from_oid(digest).ok_or(AuthError::Algorithm(digest))?;
        let algorithm = self.signer.signature_algorithm.oid;
        let scheme = Scheme::from_oid(algorithm, hash).ok_or(AuthError::Algorithm(algorithm))?;
        let key = PublicKey::of(&self.certificate).map_err(AuthError::Algorithm)?;
        let signature = self.signer.signature.as_bytes();
        Ok(match &self.attributes {
            None => key.verifies(scheme, message, signature),
            Some(attributes) => {
                self.message_digest()? == hash.digest(message)
                    && key.verifies(scheme, attributes, signature)
            }
        })
    }

    /// The digest that the signed attributes give.
    fn message_digest(&self) -> Result<Vec<u8>, AuthError> {
        let missing = AuthError::Malformed("its signed attributes have no message digest");
        let attributes = self.signer.signed_attrs.as_ref();
        let digest: OctetString = attributes
            .and_then(|attributes| attributes::value(attributes, ID_MESSAGE_DIGEST))
            .ok_or(missing)?;
        Ok(digest.as_bytes().to_vec())
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

/// The signed attributes of the first signer of a SignedData.
fn signed_attributes(signed_data: &[u8]) -> Option<Vec<u8>> {
    let parts = element::sequence(signed_data)?;
    let signers = element::all(parts.last()?.value)?;
    // After version, signer identifier (which may be a [0] as well) and digest algorithm.
    let signer = element::sequence(signers.first()?.whole)?;
    let attributes = signer.get(3).filter(|part| part.is_context(0))?;
    element::set_of(attributes.value)
}

/// The bare SignedData: firmware takes it wrapped into a ContentInfo as well.
fn bare(der: &[u8]) -> Result<Vec<u8>, AuthError> {
    let read = |der: &[u8]| -> Result<Option<Vec<u8>>, der::Error> {
        let mut reader = SliceReader::new(contents(der).unwrap_or_default())?;
        match ObjectIdentifier::decode(&mut reader) {
            Ok(ID_SIGNED_DATA) => {
                let wrapped = AnyRef::decode(&mut reader)?;
                Ok(Some(wrapped.value().to_vec()))
            }
            _ => Ok(None),
        }
    };
    Ok(read(der)
        .map_err(|_| MALFORMED)?
        .unwrap_or_else(|| der.to_vec()))
}

/// The contents of the one SEQUENCE.
fn contents(der: &[u8]) -> Result<&[u8], AuthError> {
    let mut reader = SliceReader::new(der).map_err(|_| MALFORMED)?;
    let sequence = AnyRef::decode(&mut reader).map_err(|_| MALFORMED)?;
    if reader.is_finished() {
        Ok(sequence.value())
    } else {
        Err(AuthError::Malformed("other bytes follow it"))
    }
}
