//! `pe.sign`: signs a PE image.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::certificates::{self, Removal};
use touchstone_pe::{Image, authenticode};
use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::{Certificate, Hash};

use crate::agent::ShownImage;
use crate::boot_signatures::OpenFolder;
use crate::detached::{DetachedSignature, OpenSignature, subject, written_digest};
use crate::input::{Input, read_failed};
use crate::signing_key::{AgentSigner, Answered, ImageKey, OpenKey, SigningKey};
use crate::unsign::strip;
use crate::{Context, Error, Files, output};

/// The request of `pe.sign`: by a key, `sign`, or with a signature that was made elsewhere, `detached`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [{ "required": ["sign"] }, { "required": ["detached"] }]))]
pub struct SignPe {
    /// The PE image. Signatures that it has are kept: the new one is appended.
    pub file: PathBuf,
    /// Who signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<SigningKey>,
    /// The signature that was made elsewhere, of what `pe.prepare` wrote for this image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detached: Option<DetachedSignature>,
    /// Whether the signatures that the image has are removed first.
    #[serde(default)]
    pub replace: bool,
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
        match (&self.sign, &self.detached) {
            (Some(key), None) => self.sign(By::from(&key.for_images(context)?), context),
            (None, Some(signature)) => self.sign(By::Detached(&signature.open(context)?), context),
            _ => Err(Error::Request {
                fact: "it must have one of `sign` and `detached`".to_owned(),
                help: "name a key, or a signature that was made elsewhere",
            }),
        }
    }

    fn sign(&self, by: By<'_>, context: &Context<'_>) -> Result<SignedPe, Error> {
        context.progress.phase("signing");
        output::file(context.files, &self.output, |out| {
            let seal = Seal {
                by,
                replace: self.replace,
                checksum: self.checksum,
            };
            copy_signed(context.files, &self.file, "image", seal, out, &self.output)
        })
    }
}

/// Who signs.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    /// A key, now.
    Key(&'a OpenKey),
    /// An agent, which is shown each image.
    Agent(&'a AgentSigner<'a>),
    /// An agent has: it was shown this image while it was written.
    Answered(&'a Answered<'a>),
    /// Somebody did, elsewhere.
    Detached(&'a OpenSignature),
    /// Somebody did, elsewhere: in this folder is the signature of each image.
    Folder(&'a OpenFolder),
}

impl<'a> From<&'a ImageKey<'_>> for By<'a> {
    fn from(key: &'a ImageKey<'_>) -> Self {
        match key {
            ImageKey::Open(key) => Self::Key(key),
            ImageKey::Agent(agent) => Self::Agent(agent),
        }
    }
}

impl By<'_> {
    /// The signer's certificate.
    pub(crate) fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Key(key) => Some(key.signer.certificate()),
            Self::Agent(agent) => agent.certificate(),
            Self::Answered(answered) => answered.signer.certificate(),
            Self::Detached(signature) => signature.certificate(),
            Self::Folder(folder) => folder.certificate(),
        }
    }

    /// The signature of an image.
    fn signature(self, files: &dyn Files, image: &mut Digested<'_>) -> Result<Vec<u8>, Error> {
        match self {
            Self::Key(key) => {
                let digest = image.by(key.hash)?;
                touchstone_sign::authenticode::signature(&digest, &key.signer).map_err(|source| {
                    Error::Sign {
                        file: image.path.to_owned(),
                        source,
                    }
                })
            }
            Self::Agent(agent) => {
                let whole = ShownImage::whole(image.out);
                let whole =
                    whole.map_err(|source| read_failed(source.into(), "image", image.target))?;
                By::Answered(&agent.ask(&whole)?).signature(files, image)
            }
            Self::Answered(answered) => answered.signature(&image.by(answered.signer.hash())?),
            Self::Detached(signature) => signature.attach(&image.by(signature.hash())?),
            Self::Folder(folder) => {
                let signature = folder.find(files, image.sha256, image.path)?;
                By::Detached(&signature).signature(files, image)
            }
        }
    }
}

/// An image that is being signed, by its Authenticode digests.
struct Digested<'a> {
    sha256: &'a [u8; 32],
    image: &'a Image,
    out: &'a mut File,
    /// What is signed.
    path: &'a Path,
    /// The name of `out`.
    target: &'a Path,
}

impl Digested<'_> {
    fn by(&mut self, hash: Hash) -> Result<ImageDigest, Error> {
        match hash {
            Hash::Sha256 => Ok(ImageDigest::sha256(self.sha256)),
            // Read again, for only SHA-256 is computed while it is written.
            other => written_digest(other, self.out, self.image, self.target),
        }
    }
}

/// How an image is signed.
#[derive(Clone, Copy)]
pub(crate) struct Seal<'a> {
    /// Who signs.
    pub(crate) by: By<'a>,
    /// Whether the signatures that are there are removed.
    pub(crate) replace: bool,
    /// Whether the header's `CheckSum` is written.
    pub(crate) checksum: bool,
}

impl<'a> Seal<'a> {
    /// A signature beside those that are there.
    pub(crate) fn beside(by: By<'a>, checksum: bool) -> Self {
        Self {
            by,
            replace: false,
            checksum,
        }
    }
}

/// Copies the image `path` into `out`, whose name is `target`, and signs it.
///
/// # Errors
/// See [`Error`].
pub(crate) fn copy_signed(
    files: &dyn Files,
    path: &Path,
    role: &'static str,
    seal: Seal<'_>,
    out: &mut File,
    target: &Path,
) -> Result<SignedPe, Error> {
    let mut input = Input::open(files, role, path)?;
    let failed = |error| read_failed(error, role, path);
    let mut image = Image::read(&mut input).map_err(failed)?;
    let digest = authenticode::sha256(&image, &mut input).map_err(failed)?;
    input.rewind().map_err(|source| failed(source.into()))?;
    input.copy_to(out, target)?;
    if seal.replace {
        image = strip(out, &image, Removal::All, path, target)?;
    }
    append_signature(files, out, &image, &digest, seal, path, target)
}

/// Signs an image that has been written already and whose digest is known, so that it is not read again. `path` is what is signed,
/// `target` the name of `out`.
///
/// # Errors
/// [`Error::Sign`] and [`Error::WriteImage`].
pub(crate) fn append_signature(
    files: &dyn Files,
    out: &mut File,
    image: &Image,
    digest: &[u8; 32],
    seal: Seal<'_>,
    path: &Path,
    target: &Path,
) -> Result<SignedPe, Error> {
    let signature = seal.by.signature(
        files,
        &mut Digested {
            sha256: digest,
            image,
            out,
            path,
            target,
        },
    )?;
    let append = if seal.checksum {
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
        signed_by: seal.by.certificate().map(subject).unwrap_or_default(),
    })
}
