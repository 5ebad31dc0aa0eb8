//! Signed updates of Secure Boot's variables: what `.auth` files hold.
//!
//! An update is an `EFI_VARIABLE_AUTHENTICATION_2` (UEFI 2.10 section 8.2.2) before the new value,
//! which is a sequence of signature lists ([`crate::esl`]):
//!
//! ```text
//! EFI_TIME (16) ‖ dwLength u32 ‖ 0x0200 u16 ‖ 0x0EF1 u16 ‖ EFI_CERT_TYPE_PKCS7_GUID ‖ SignedData ‖ lists
//! ```
//!
//! What is signed is not all in the file: the variable's name and the attributes of the write are
//! in it ([`Update::to_be_signed`]). The bytes written here are those of sign-efi-sig-list.

mod read;
mod time;

use cms::cert::IssuerAndSerialNumber;
use cms::content_info::CmsVersion;
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use const_oid::db::rfc5911::ID_DATA;
use der::Encode;
use der::asn1::{OctetString, SetOfVec};
use uuid::{Uuid, uuid};
use x509_cert::Certificate;

use crate::algorithm::{Hash, KeyKind};
use crate::authenticode;
use crate::authenticode::detached::{self, DetachedError};
use crate::certificate::{self, CertificateError};
use crate::signer::{CertifiedSigner, SignError};

pub use read::{AuthError, SignedUpdate};
pub use time::{EfiTime, TimeError, seconds};

/// `EFI_CERT_TYPE_PKCS7_GUID`: the signature is a SignedData.
const PKCS7: Uuid = uuid!("4aafd29d-68df-49ee-8aa9-347d375665a7");
/// `EFI_GLOBAL_VARIABLE`: whose variables PK and KEK are.
const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`: whose variables db and dbx are.
const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/// `WIN_CERTIFICATE.wRevision` and `wCertificateType` (`WIN_CERT_TYPE_EFI_GUID`).
const WIN_CERTIFICATE: [u8; 4] = [0x00, 0x02, 0xf1, 0x0e];
/// Length of the WIN_CERTIFICATE header with its GUID, which `dwLength` counts, in bytes.
const CERTIFICATE_HEADER: usize = 24;
/// Non-volatile, boot service access, runtime access, time-based authenticated write access.
const ATTRIBUTES: u32 = 0x27;
/// `EFI_VARIABLE_APPEND_WRITE`.
const APPEND: u32 = 0x40;
/// What all signatures of updates are over: the one digest that the specification allows.
const HASH: Hash = Hash::Sha256;

/// A variable of Secure Boot whose updates must be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The platform key: signs updates of itself and of KEK.
    Pk,
    /// Key exchange keys: sign updates of db and dbx.
    Kek,
    /// What may start.
    Db,
    /// What may not.
    Dbx,
}

impl Variable {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pk, Self::Kek, Self::Db, Self::Dbx];

    /// The variable's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pk => "PK",
            Self::Kek => "KEK",
            Self::Db => "db",
            Self::Dbx => "dbx",
        }
    }

    /// The GUID beside the name.
    pub fn vendor(self) -> Uuid {
        match self {
            Self::Pk | Self::Kek => GLOBAL,
            Self::Db | Self::Dbx => IMAGE_SECURITY,
        }
    }
}

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A new value of a variable, to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// Which variable.
    pub variable: Variable,
    /// Whether the lists are added to what the variable holds; else they replace it.
    pub append: bool,
    /// The time of the update: firmware takes a replacement that is newer than the last, and none of the same second.
    pub time: EfiTime,
    /// The signature lists. None at all, replacing, removes the variable.
    pub lists: &'a [u8],
}

impl Update<'_> {
    /// The exact bytes that a signature is over: the variable's name in UTF-16 without NUL, its
    /// GUID, the attributes of the write, the time and the lists. What `sign-efi-sig-list -o` writes.
    pub fn to_be_signed(&self) -> Vec<u8> {
        let name = self.variable.name().encode_utf16();
        let attributes = if self.append {
            ATTRIBUTES | APPEND
        } else {
            ATTRIBUTES
        };
        let mut bytes: Vec<u8> = name.flat_map(u16::to_le_bytes).collect();
        bytes.extend(self.variable.vendor().to_bytes_le());
        bytes.extend(attributes.to_le_bytes());
        bytes.extend(self.time.to_bytes());
        bytes.extend(self.lists);
        bytes
    }

    /// The update with `signer`'s signature: a whole `.auth` file.
    ///
    /// # Errors
    /// When the signer does not sign, what it makes does not verify, or the certificates are too
    /// long for the 32-bit length.
    pub fn sign(&self, signer: &CertifiedSigner) -> Result<Vec<u8>, SignError> {
        let signature = signer.sign(HASH, &self.to_be_signed())?;
        let chain = std::iter::once(signer.certificate()).chain(signer.chain());
        self.file(signer.certificate(), signer.kind(), chain, signature)
    }

    /// The update with a signature that was made elsewhere, of [`Self::to_be_signed`] by SHA-256: raw
    /// bytes for RSA, DER for ECDSA. `certificates` are the signer's own, and after it its chain.
    ///
    /// # Errors
    /// [`DetachedError::WrongSignature`] when it is of other bytes or by another key, and
    /// [`DetachedError::Sign`].
    pub fn attach(
        &self,
        certificates: &[Certificate],
        signature: Vec<u8>,
    ) -> Result<Vec<u8>, DetachedError> {
        let own = certificates
            .first()
            .ok_or(CertificateError::NotACertificate)
            .map_err(SignError::from)?;
        let key = detached::check_key(own)?;
        if !key.verify(HASH, &self.to_be_signed(), &signature) {
            return Err(DetachedError::WrongSignature {
                subject: certificate::subject(own),
            });
        }
        Ok(self.file(own, key.kind(), certificates, signature)?)
    }

    fn file<'a>(
        &self,
        signer: &Certificate,
        kind: KeyKind,
        certificates: impl IntoIterator<Item = &'a Certificate>,
        signature: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let certificates = authenticode::certificate_set(certificates)?;
        let info = signer_info(signer, kind, signature)?;
        let signed_data = signed_data(certificates, info)?.to_der()?;
        let length = u32::try_from(signed_data.len().saturating_add(CERTIFICATE_HEADER))
            .map_err(|_| der::Error::from(der::ErrorKind::Overflow))?;

        let mut file = self.time.to_bytes().to_vec();
        file.extend(length.to_le_bytes());
        file.extend(WIN_CERTIFICATE);
        file.extend(PKCS7.to_bytes_le());
        file.extend(signed_data);
        file.extend(self.lists);
        Ok(file)
    }
}

/// A SignedData without content, not wrapped into a ContentInfo.
fn signed_data(certificates: CertificateSet, info: SignerInfo) -> Result<SignedData, der::Error> {
    Ok(SignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![HASH.identifier()])?,
        encap_content_info: EncapsulatedContentInfo {
            econtent_type: ID_DATA,
            econtent: None,
        },
        certificates: Some(certificates),
        crls: None,
        signer_infos: SignerInfos::try_from(vec![info])?,
    })
}

/// A SignerInfo without signed attributes: the signature is over the bytes themselves.
fn signer_info(
    signer: &Certificate,
    kind: KeyKind,
    signature: Vec<u8>,
) -> Result<SignerInfo, der::Error> {
    let certificate = signer.tbs_certificate();
    Ok(SignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
            issuer: certificate.issuer().clone(),
            serial_number: certificate.serial_number().clone(),
        }),
        digest_alg: HASH.identifier(),
        signed_attrs: None,
        signature_algorithm: kind.identifier(HASH),
        signature: OctetString::new(signature)?,
        unsigned_attrs: None,
    })
}

#[cfg(test)]
mod tests;
