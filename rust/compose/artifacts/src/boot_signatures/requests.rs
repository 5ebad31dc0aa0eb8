//! `boot.requests`: what is to be signed elsewhere for a folder of boot artifacts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::touchstone::Image;
use touchstone_sign::Hash;
use touchstone_sign::authenticode::{ImageDigest, detached};

use super::SIGNED_DATA;
use super::pcrs::{RequestedPcrs, RequestedPolicy};
use crate::detached::{checked_signer, read_digest};
use crate::output::STAGED;
use crate::signing_key::SignatureDigest;
use crate::{Context, Error, Files, generation, output};

/// The request of `boot.requests`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [{ "required": ["certificate"] }, { "required": ["pcrs"] }]))]
pub struct RequestSignatures {
    /// The folder of boot artifacts: the one with `boot.json`, whose images are not signed yet.
    pub artifacts: PathBuf,
    /// The certificate of the key that will sign the images, a PEM or DER file. It is checked now and given again when the signatures are
    /// attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Which signatures of PCR 11 are wanted, in the place of `certificate`: an image's own signature speaks of these, too, so that they
    /// come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcrs: Option<RequestedPcrs>,
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
    /// Subject of the certificate, where images are to be signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// What is to be signed for images, in the order of the digests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestedSignature>,
    /// What is to be signed for values of PCR 11, in the order of the names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<RequestedPolicy>,
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
        match (&self.certificate, &self.pcrs) {
            (Some(certificate), None) => self.ask_of_images(certificate, context),
            (None, Some(pcrs)) => self.ask_of_pcrs(pcrs, context),
            _ => Err(Error::Request {
                fact: "it must have one of `certificate` and `pcrs`".to_owned(),
                help: "ask for the signatures of PCR 11 first: those of images speak of them, too",
            }),
        }
    }

    fn ask_of_images(
        &self,
        certificate: &Path,
        context: &Context<'_>,
    ) -> Result<RequestedSignatures, Error> {
        let signer = checked_signer(certificate, self.allow_expired, context)?;
        let extension = generation::described(context.files, &self.artifacts)?;
        context.progress.phase("preparing");
        output::folder(context.files, &self.output, |folder| {
            let images = by_digest(extension.signed_images()).into_iter();
            let requests =
                images.map(|(digest, images)| self.request(context.files, folder, digest, &images));
            Ok(RequestedSignatures {
                digest: self.digest,
                signer: Some(signer),
                requests: requests.collect::<Result<_, _>>()?,
                policies: Vec::new(),
            })
        })
    }

    fn ask_of_pcrs(
        &self,
        pcrs: &RequestedPcrs,
        context: &Context<'_>,
    ) -> Result<RequestedSignatures, Error> {
        let extension = generation::described(context.files, &self.artifacts)?;
        context.progress.phase("measuring");
        let mut ukis = Vec::new();
        for (digest, images) in by_digest(extension.ukis()) {
            for image in images {
                let path = self.artifacts.join(image);
                as_described(context.files, &path, digest)?;
                ukis.push((image, path));
            }
        }
        output::folder(context.files, &self.output, |folder| {
            Ok(RequestedSignatures {
                digest: SignatureDigest::Sha256,
                signer: None,
                requests: Vec::new(),
                policies: pcrs.write(context.files, &ukis, folder)?,
            })
        })
    }

    /// Writes the one file for all images with this digest.
    fn request(
        &self,
        files: &dyn Files,
        folder: &Path,
        sha256: &str,
        images: &BTreeSet<&str>,
    ) -> Result<RequestedSignature, Error> {
        let file = format!("{sha256}.{SIGNED_DATA}");
        for image in images {
            let path = self.artifacts.join(image);
            let found = as_described(files, &path, sha256)?;
            let digest = match Hash::from(self.digest) {
                Hash::Sha256 => found,
                other => read_digest(files, other, &path)?,
            };
            let prepared = detached::prepare(&digest).map_err(|source| Error::Sign {
                file: path.clone(),
                source,
            })?;
            output::bytes(&STAGED, &folder.join(&file), &prepared)?;
        }
        Ok(RequestedSignature {
            file,
            authenticode_sha256: sha256.to_owned(),
            images: images.iter().map(|image| (*image).to_owned()).collect(),
        })
    }
}

/// The Authenticode SHA-256 of an image, which is the one in `boot.json`.
fn as_described(files: &dyn Files, path: &Path, sha256: &str) -> Result<ImageDigest, Error> {
    let found = read_digest(files, Hash::Sha256, path)?;
    match found.to_string() == sha256 {
        true => Ok(found),
        false => Err(Error::NotAsDescribed {
            file: path.to_owned(),
            fact: format!("its Authenticode SHA-256 is {found}, and boot.json has {sha256}"),
        }),
    }
}

/// The paths of images, by their digests.
fn by_digest<'a>(all: impl Iterator<Item = &'a Image>) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut images: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for image in all {
        let named = images.entry(image.authenticode_sha256.as_str());
        named.or_default().insert(image.file.path.as_str());
    }
    images
}
