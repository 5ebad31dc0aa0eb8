//! `pe.prepare`, and the signatures that come back for it: signing where the key is, be it another machine.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Sha256, Sha384, Sha512};
use touchstone_pe::{Image, ReadError, authenticode};
use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::authenticode::detached::{self, DetachedError, Prepared};
use touchstone_sign::{Certificate, Hash};

use crate::input::{Input, read_failed};
use crate::signing_key::{SignatureDigest, check_validity, read_certificates};
use crate::source::read_small;
use crate::{Context, Error, Files, output};

/// The request of `pe.prepare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PreparePe {
    /// The PE image that is to be signed.
    pub file: PathBuf,
    /// The certificate of the key that will sign, a PEM or DER file. It is checked now and given again when the signature is attached.
    pub certificate: PathBuf,
    /// The digest of image and signature.
    #[serde(default)]
    pub digest: SignatureDigest,
    /// Whether a certificate that is not valid today may sign.
    #[serde(default)]
    pub allow_expired: bool,
    /// Where the bytes to be signed are written.
    pub output: PathBuf,
}

/// The answer of `pe.prepare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreparedPe {
    /// By which digest the written bytes are to be signed.
    pub digest: SignatureDigest,
    /// Authenticode digest of the image, by that digest, in hex.
    pub authenticode: String,
    /// Subject of the certificate.
    pub signer: String,
}

impl PreparePe {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<PreparedPe, Error> {
        let signer = checked_signer(&self.certificate, self.allow_expired, context)?;
        context.progress.phase("preparing");
        let digest = read_digest(context.files, self.digest.into(), &self.file)?;
        let prepared = detached::prepare(&digest).map_err(|source| Error::Sign {
            file: self.file.clone(),
            source,
        })?;
        output::bytes(context.files, &self.output, &prepared)?;
        Ok(PreparedPe {
            digest: self.digest,
            authenticode: digest.to_string(),
            signer,
        })
    }
}

/// Subject of the certificate of a key that will sign, when it can: of a kind that firmware verifies, and valid now.
///
/// # Errors
/// [`Error::Open`], [`Error::SignatureData`], [`Error::Signer`].
pub(crate) fn checked_signer(
    file: &Path,
    allow_expired: bool,
    context: &Context<'_>,
) -> Result<String, Error> {
    let failed = |source| Error::Signer {
        key: file.display().to_string(),
        source,
    };
    let certificates = read_certificates(context.files, file)?;
    let Some(certificate) = certificates.first() else {
        return Ok(String::new());
    };
    detached::check_key(certificate).map_err(failed)?;
    check_validity(certificate, allow_expired, context).map_err(failed)?;
    Ok(subject(certificate))
}

/// A signature that was made elsewhere, of what `pe.prepare` wrote (or `systemd-sbsign --prepare-offline-signing`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DetachedSignature {
    /// The certificate of the key that signed, a PEM or DER file. Certificates after the first go into the signature as its chain.
    pub certificate: PathBuf,
    /// The file that was signed.
    pub signed_data: PathBuf,
    /// The bare signature of that file: raw for RSA (PKCS#1 v1.5), DER for ECDSA, as `openssl dgst -sign` writes them.
    pub signature: PathBuf,
    /// Whether a certificate that is not valid today may sign.
    #[serde(default)]
    pub allow_expired: bool,
}

/// What was read of a [`DetachedSignature`].
#[derive(Debug)]
pub(crate) struct OpenSignature {
    request: DetachedSignature,
    prepared: Prepared,
    certificates: Vec<Certificate>,
    signature: Vec<u8>,
}

/// Signed attributes and signatures have some hundred bytes.
pub(crate) const LIMIT: u64 = 1 << 16;

impl DetachedSignature {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::SignatureData`] of the certificate, [`Error::Detached`] where the signed data are none, and
    /// [`Error::Signer`] where the certificate is not valid now.
    pub(crate) fn open(&self, context: &Context<'_>) -> Result<OpenSignature, Error> {
        let certificates = read_certificates(context.files, &self.certificate)?;
        if let Some(certificate) = certificates.first() {
            check_validity(certificate, self.allow_expired, context).map_err(|source| {
                Error::Signer {
                    key: self.certificate.display().to_string(),
                    source,
                }
            })?;
        }
        self.read(context.files, certificates)
    }

    /// Reads the files, whose certificates have been read and checked.
    ///
    /// # Errors
    /// [`Error::Open`], and [`Error::Detached`] where the signed data are none.
    pub(crate) fn read(
        &self,
        files: &dyn Files,
        certificates: Vec<Certificate>,
    ) -> Result<OpenSignature, Error> {
        let prepared = read_small(files, "signed data", &self.signed_data, LIMIT)?;
        Ok(OpenSignature {
            request: self.clone(),
            prepared: Prepared::read(&prepared).map_err(|error| self.failed(error))?,
            certificates,
            signature: read_small(files, "detached signature", &self.signature, LIMIT)?,
        })
    }

    fn failed(&self, error: DetachedError) -> Error {
        match error {
            DetachedError::Sign(source) => Error::Signer {
                key: self.certificate.display().to_string(),
                source,
            },
            source => Error::Detached {
                file: match source {
                    DetachedError::WrongSignature { .. } => self.signature.clone(),
                    _ => self.signed_data.clone(),
                },
                source,
            },
        }
    }
}

impl OpenSignature {
    /// The digest of image and signature.
    pub(crate) fn hash(&self) -> Hash {
        self.prepared.hash()
    }

    /// The signer's certificate.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// The whole signature of the image with this digest.
    ///
    /// # Errors
    /// [`Error::Detached`] when it is of another image or by another key, [`Error::Signer`].
    pub(crate) fn attach(&self, digest: &ImageDigest) -> Result<Vec<u8>, Error> {
        self.prepared
            .attach(digest, &self.certificates, &self.signature)
            .map_err(|error| self.request.failed(error))
    }
}

/// Who a certificate names.
pub(crate) fn subject(certificate: &Certificate) -> String {
    certificate.tbs_certificate().subject().to_string()
}

/// The Authenticode digest of an image.
///
/// # Errors
/// [`Error::Open`] and [`Error::Pe`].
pub(crate) fn read_digest(
    files: &dyn Files,
    hash: Hash,
    path: &Path,
) -> Result<ImageDigest, Error> {
    let role = "image";
    let mut input = Input::open(files, role, path)?;
    let failed = |error| read_failed(error, role, path);
    let image = Image::read(&mut input).map_err(failed)?;
    image_digest(hash, &image, &mut input).map_err(failed)
}

/// The Authenticode digest of an image that was written to `out`, whose name is `target`.
///
/// # Errors
/// [`Error::Open`] and [`Error::Pe`].
pub(crate) fn written_digest(
    hash: Hash,
    out: &mut File,
    image: &Image,
    target: &Path,
) -> Result<ImageDigest, Error> {
    image_digest(hash, image, out).map_err(|error| read_failed(error, "image", target))
}

fn image_digest<S: Read + Seek>(
    hash: Hash,
    image: &Image,
    source: &mut S,
) -> Result<ImageDigest, ReadError> {
    let digest = match hash {
        Hash::Sha256 => authenticode::digest::<Sha256, S>(image, source)?.to_vec(),
        Hash::Sha384 => authenticode::digest::<Sha384, S>(image, source)?.to_vec(),
        Hash::Sha512 => authenticode::digest::<Sha512, S>(image, source)?.to_vec(),
    };
    ImageDigest::new(hash, &digest)
        .ok_or_else(|| ReadError::Io(std::io::Error::other("a digest of another length")))
}
