//! `pe.sign`: signs a PE image.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha384;
use touchstone_pe::{Image, authenticode, certificates};
use touchstone_sign::Hash;
use touchstone_sign::authenticode::ImageDigest;

use crate::input::{Input, read_failed};
use crate::signing_key::{OpenKey, SigningKey};
use crate::{Context, Error, output};

/// The request of `pe.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignPe {
    /// The PE image. Signatures that it has are kept: the new one is appended.
    pub file: PathBuf,
    /// Who signs.
    pub sign: SigningKey,
    /// Whether the header's `CheckSum` is written; otherwise it becomes zero. Firmware ignores it.
    #[serde(default)]
    pub checksum: bool,
    /// Where the signed image is written.
    pub output: PathBuf,
}

/// The answer of `pe.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedPe {
    /// Authenticode SHA-256 of the image, in hex; a signature does not change it.
    pub authenticode_sha256: String,
    /// Size of the signed file in bytes.
    pub size: u64,
    /// Subject of the signer's certificate.
    pub signed_by: String,
}

impl SignPe {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<SignedPe, Error> {
        let key = self.sign.open(context)?;
        context.progress.phase("signing");
        output::file(&self.output, |out| {
            let seal = Seal {
                key: &key,
                checksum: self.checksum,
            };
            copy_signed(&self.file, "image", seal, out, &self.output)
        })
    }
}

/// How an image is signed.
#[derive(Clone, Copy)]
pub(crate) struct Seal<'a> {
    /// Who signs.
    pub(crate) key: &'a OpenKey,
    /// Whether the header's `CheckSum` is written.
    pub(crate) checksum: bool,
}

/// Copies the image `path` into `out`, whose name is `target`, and appends a signature.
///
/// # Errors
/// See [`Error`].
pub(crate) fn copy_signed(
    path: &Path,
    role: &'static str,
    seal: Seal<'_>,
    out: &mut File,
    target: &Path,
) -> Result<SignedPe, Error> {
    let mut input = Input::open(role, path)?;
    let failed = |error| read_failed(error, role, path);
    let image = Image::read(&mut input).map_err(failed)?;
    let digest = authenticode::sha256(&image, &mut input).map_err(failed)?;
    input.rewind().map_err(|source| failed(source.into()))?;
    input.copy_to(out, target)?;
    append_signature(out, &image, &digest, seal, path, target)
}

/// Signs an image that has been written already and whose digest is known, so that it is not read again. `path` is what is signed,
/// `target` the name of `out`.
///
/// # Errors
/// [`Error::Sign`] and [`Error::WriteImage`].
pub(crate) fn append_signature(
    out: &mut File,
    image: &Image,
    digest: &[u8; 32],
    Seal { key, checksum }: Seal<'_>,
    path: &Path,
    target: &Path,
) -> Result<SignedPe, Error> {
    let signed = match key.hash {
        Hash::Sha384 => sha384(out, image, target)?,
        _ => ImageDigest::sha256(digest),
    };
    let signature =
        touchstone_sign::authenticode::signature(&signed, &key.signer).map_err(|source| {
            Error::Sign {
                file: path.to_owned(),
                source,
            }
        })?;
    let append = if checksum {
        certificates::append_with_checksum
    } else {
        certificates::append
    };
    let signed = append(out, image, &signature).map_err(|source| Error::WriteImage {
        file: target.to_owned(),
        source,
    })?;
    Ok(SignedPe {
        authenticode_sha256: crate::hex(digest),
        size: signed.len(),
        signed_by: key
            .signer
            .certificate()
            .tbs_certificate()
            .subject()
            .to_string(),
    })
}

/// The SHA-384 digest of an image that was written to `out`: read again, for only SHA-256 is computed while it is written.
fn sha384(out: &mut File, image: &Image, target: &Path) -> Result<ImageDigest, Error> {
    let digest = authenticode::digest::<Sha384, _>(image, out)
        .map_err(|error| read_failed(error, "image", target))?;
    ImageDigest::new(Hash::Sha384, &digest).ok_or_else(|| Error::Request {
        fact: "a SHA-384 digest has 48 bytes".to_owned(),
        help: "report this",
    })
}
