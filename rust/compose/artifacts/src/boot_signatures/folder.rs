//! A folder of signatures that were made elsewhere.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::Certificate;

use super::{SIGNATURE, SIGNED_DATA};
use crate::detached::{DetachedSignature, OpenSignature};
use crate::signing_key::{check_validity, read_certificates};
use crate::source::exists;
use crate::{Context, Error, Files};

/// Signatures of images that were made elsewhere, by the images' digests: what `boot.sign` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DetachedSignatures {
    /// The certificate of the key that signed, a PEM or DER file. Certificates after the first go into the signatures as their chain.
    pub certificate: PathBuf,
    /// The folder with `<Authenticode SHA-256>.signed-data` and `<Authenticode SHA-256>.signature` of each image. Others may be there.
    pub signatures: PathBuf,
    /// Whether a certificate that is not valid today may sign.
    #[serde(default)]
    pub allow_expired: bool,
}

/// A [`DetachedSignatures`] whose certificate is read.
#[derive(Debug)]
pub(crate) struct OpenFolder {
    request: DetachedSignatures,
    certificates: Vec<Certificate>,
}

impl DetachedSignatures {
    /// Reads the certificate.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::SignatureData`], and [`Error::Signer`] where it is not valid now.
    pub(crate) fn open(&self, context: &Context<'_>) -> Result<OpenFolder, Error> {
        let certificates = read_certificates(context.files, &self.certificate)?;
        let failed = |source| Error::Signer {
            key: self.certificate.display().to_string(),
            source,
        };
        if let Some(certificate) = certificates.first() {
            check_validity(certificate, self.allow_expired, context).map_err(failed)?;
        }
        Ok(OpenFolder {
            request: self.clone(),
            certificates,
        })
    }
}

impl OpenFolder {
    /// The signer's certificate.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// The signature of the image with this Authenticode SHA-256; `image` is its name in messages.
    ///
    /// # Errors
    /// [`Error::NoSignature`], and whatever [`DetachedSignature::open`] returns.
    pub(crate) fn find(
        &self,
        files: &dyn Files,
        digest: &[u8; 32],
        image: &Path,
    ) -> Result<OpenSignature, Error> {
        let digest = crate::hex(digest);
        let file = |end: &str| self.request.signatures.join(format!("{digest}.{end}"));
        let (signed_data, signature) = (file(SIGNED_DATA), file(SIGNATURE));
        for file in [&signature, &signed_data] {
            if !exists(files, "detached signature", file)? {
                return Err(Error::NoSignature {
                    file: file.clone(),
                    image: image.to_owned(),
                });
            }
        }
        let asked = DetachedSignature {
            certificate: self.request.certificate.clone(),
            signed_data,
            signature,
            allow_expired: self.request.allow_expired,
        };
        asked.read(files, self.certificates.clone())
    }
}
