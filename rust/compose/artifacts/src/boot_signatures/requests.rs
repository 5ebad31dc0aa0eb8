//! `boot.requests`: what is to be signed elsewhere for a folder of boot artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::touchstone::Touchstone;
use touchstone_sign::Hash;
use touchstone_sign::authenticode::detached;

use super::SIGNED_DATA;
use crate::detached::{checked_signer, read_digest};
use crate::signing_key::SignatureDigest;
use crate::{Context, Error, generation, output};

/// The request of `boot.requests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RequestSignatures {
    /// The folder of boot artifacts: the one with `boot.json`, whose images are not signed yet.
    pub artifacts: PathBuf,
    /// The certificate of the key that will sign, a PEM or DER file. It is checked now and given again when the signatures are attached.
    pub certificate: PathBuf,
    /// The digest of images and signatures.
    #[serde(default)]
    pub digest: SignatureDigest,
    /// Whether a certificate that is not valid today may sign.
    #[serde(default)]
    pub allow_expired: bool,
    /// The folder to make.
    pub output: PathBuf,
}

/// The answer of `boot.requests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedSignatures {
    /// By which digest the files are to be signed.
    pub digest: SignatureDigest,
    /// Subject of the certificate.
    pub signer: String,
    /// What is to be signed, in the order of the digests.
    pub requests: Vec<RequestedSignature>,
}

/// One file to be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestedSignature {
    /// The file in the folder.
    pub file: String,
    /// Authenticode SHA-256 of the image, in hex.
    pub authenticode_sha256: String,
    /// The images, as `boot.json` names them.
    pub images: Vec<String>,
}

impl RequestSignatures {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; the folder is not made then.
    pub fn run(&self, context: &Context<'_>) -> Result<RequestedSignatures, Error> {
        let signer = checked_signer(&self.certificate, self.allow_expired, context)?;
        let extension = generation::described(&self.artifacts)?;
        context.progress.phase("preparing");
        output::folder(&self.output, |folder| {
            let images = to_be_signed(&extension).into_iter();
            let requests = images.map(|(digest, images)| self.request(folder, digest, &images));
            Ok(RequestedSignatures {
                digest: self.digest,
                signer,
                requests: requests.collect::<Result<_, _>>()?,
            })
        })
    }

    /// Writes the one file for all images with this digest.
    fn request(
        &self,
        folder: &Path,
        sha256: &str,
        images: &BTreeSet<&str>,
    ) -> Result<RequestedSignature, Error> {
        let file = format!("{sha256}.{SIGNED_DATA}");
        for image in images {
            let path = self.artifacts.join(image);
            let found = read_digest(Hash::Sha256, &path)?;
            if found.to_string() != sha256 {
                return Err(Error::NotAsDescribed {
                    file: path,
                    fact: format!(
                        "its Authenticode SHA-256 is {found}, and boot.json has {sha256}"
                    ),
                });
            }
            let digest = match Hash::from(self.digest) {
                Hash::Sha256 => found,
                other => read_digest(other, &path)?,
            };
            let prepared = detached::prepare(&digest).map_err(|source| Error::Sign {
                file: path.clone(),
                source,
            })?;
            output::bytes(&folder.join(&file), &prepared)?;
        }
        Ok(RequestedSignature {
            file,
            authenticode_sha256: sha256.to_owned(),
            images: images.iter().map(|image| (*image).to_owned()).collect(),
        })
    }
}

/// The images that `boot.artifacts` signs, by their digests: all but shim, which somebody else has signed.
fn to_be_signed(extension: &Touchstone) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut images: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for image in extension.signed_images() {
        let named = images.entry(image.authenticode_sha256.as_str());
        named.or_default().insert(image.file.path.as_str());
    }
    images
}
