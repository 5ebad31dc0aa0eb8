//! `boot.sign`: signs everything that a folder of requests asks for, where the key is.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::authenticode::detached::{self, Prepared};
use touchstone_sign::{Hash, SignError, Signer};

use super::{SIGNATURE, SIGNED_DATA};
use crate::detached::{LIMIT, subject};
use crate::output::STAGED;
use crate::policy::{PCR_DATA, PCR_DATA_LENGTHS, PCR_SIGNATURE, PolicyKey};
use crate::signing_key::{OpenKey, SigningKey};
use crate::source::{entries, read_small};
use crate::{Context, Error, Files, output};

/// The request of `boot.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [{ "required": ["sign"] }, { "required": ["signPcrs"] }]))]
pub struct SignRequests {
    /// The folder that `boot.requests` made.
    pub requests: PathBuf,
    /// Who signs images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<SigningKey>,
    /// Who signs values of PCR 11, in the place of `sign`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_pcrs: Option<PolicyKey>,
    /// The folder to make: each request and its signature, as `detached.signatures` of `boot.artifacts` takes them.
    pub output: PathBuf,
}

/// The answer of `boot.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedRequests {
    /// Subject of the signer's certificate; of values of PCR 11, where the key is.
    pub signed_by: String,
    /// What was signed, in the order of the names.
    pub signatures: Vec<SignedRequest>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedRequest {
    /// The file that was signed.
    pub request: String,
    /// The file of the signature in the folder.
    pub file: String,
}

impl SignRequests {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; the folder is not made then.
    pub fn run(&self, context: &Context<'_>) -> Result<SignedRequests, Error> {
        let kind = self.kind()?;
        // Before the key is asked for its secret.
        let requests = self.read(context.files, kind)?;
        let key = self.open(context)?;
        context.progress.phase("signing");
        output::folder(context.files, &self.output, |folder| {
            let signatures = requests.iter().map(|request| request.sign(&key, folder));
            Ok(SignedRequests {
                signed_by: key.describe(),
                signatures: signatures.collect::<Result<_, _>>()?,
            })
        })
    }

    fn kind(&self) -> Result<Kind, Error> {
        match (&self.sign, &self.sign_pcrs) {
            (Some(_), None) => Ok(Kind::Image),
            (None, Some(_)) => Ok(Kind::Pcrs),
            _ => Err(Error::Request {
                fact: "it must have one of `sign` and `signPcrs`".to_owned(),
                help: "name the key that signs images, or the one that signs values of PCR 11",
            }),
        }
    }

    fn open(&self, context: &Context<'_>) -> Result<Key, Error> {
        if let Some(sign) = &self.sign_pcrs {
            return sign.open(context).map(Key::OfPcrs);
        }
        let sign = self.sign.as_ref().map(|sign| sign.open(context));
        match sign.transpose()? {
            Some(key) => Ok(Key::OfImages(Box::new(key))),
            None => Err(Error::Request {
                fact: "no key is named".to_owned(),
                help: "give `sign` or `signPcrs`",
            }),
        }
    }

    /// Every request, in the order of the names. Whatever else lies there was not meant to be signed by this key, or is misnamed.
    fn read(&self, files: &dyn Files, kind: Kind) -> Result<Vec<Request>, Error> {
        let role = "folder of signing requests";
        let failed = |source| Error::Open {
            role,
            file: self.requests.clone(),
            source,
        };
        let mut requests = Vec::new();
        for entry in entries(files, &self.requests).map_err(failed)? {
            let path = self.requests.join(entry.name);
            requests.push(Request::read(files, &path, kind)?);
        }
        if requests.is_empty() {
            return Err(Error::Request {
                fact: format!("{} has no signing requests", self.requests.display()),
                help: "name the folder that `touchstone boot requests` made",
            });
        }
        requests.sort_by(|one, other| one.digest.cmp(&other.digest));
        Ok(requests)
    }
}

/// What is signed.
#[derive(Clone, Copy)]
enum Kind {
    Image,
    Pcrs,
}

impl Kind {
    /// How the requests' files end, and those of the signatures.
    fn ends(self) -> (&'static str, &'static str) {
        match self {
            Self::Image => (SIGNED_DATA, SIGNATURE),
            Self::Pcrs => (PCR_DATA, PCR_SIGNATURE),
        }
    }
}

/// A key that is ready to sign.
enum Key {
    OfImages(Box<OpenKey>),
    OfPcrs(Box<dyn Signer>),
}

impl Key {
    fn describe(&self) -> String {
        match self {
            Self::OfImages(key) => subject(key.signer.certificate()),
            Self::OfPcrs(signer) => signer.describe(),
        }
    }

    fn hash(&self) -> Hash {
        match self {
            Self::OfImages(key) => key.hash,
            Self::OfPcrs(_) => Hash::Sha256,
        }
    }

    /// The signature of `bytes`, which has been verified.
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, SignError> {
        let signer = match self {
            Self::OfImages(key) => return key.signer.sign(key.hash, bytes),
            Self::OfPcrs(signer) => signer,
        };
        let signature = signer.sign(Hash::Sha256, bytes)?;
        let public = signer.public_key();
        match public.verify(Hash::Sha256, bytes, &signature) {
            true => Ok(signature),
            false => Err(SignError::WrongSignature {
                signer: signer.describe(),
            }),
        }
    }
}

/// A file to be signed.
struct Request {
    path: PathBuf,
    kind: Kind,
    /// The file's name: Authenticode SHA-256 of the image, or SHA-256 of the file, in hex.
    digest: String,
    bytes: Vec<u8>,
    hash: Hash,
}

impl Request {
    fn read(files: &dyn Files, path: &Path, kind: Kind) -> Result<Request, Error> {
        let (end, _) = kind.ends();
        let digest = named_digest(path, end).ok_or_else(|| Error::Text {
            role: "signing request",
            file: path.to_owned(),
            fact: format!(
                "its name is not a SHA-256 in hex with .{end}: this key signs nothing else"
            ),
        })?;
        let bytes = read_small(files, "signing request", path, LIMIT)?;
        let hash = match kind {
            Kind::Pcrs => Hash::Sha256,
            Kind::Image => {
                let prepared = Prepared::read(&bytes).map_err(|source| Error::Detached {
                    file: path.to_owned(),
                    source,
                });
                prepared?.hash()
            }
        };
        let request = Request {
            path: path.to_owned(),
            kind,
            digest: crate::hex(&digest),
            bytes,
            hash,
        };
        request.check_name(&digest)?;
        Ok(request)
    }

    /// What is signed is what the name says. Of an image by another hash than SHA-256 the name cannot tell: it is compared when the
    /// signature is attached.
    fn check_name(&self, digest: &[u8; 32]) -> Result<(), Error> {
        let is_named = match self.kind {
            Kind::Pcrs => {
                let right = PCR_DATA_LENGTHS.contains(&self.bytes.len());
                right && Hash::Sha256.digest(&self.bytes) == digest
            }
            Kind::Image if self.hash != Hash::Sha256 => true,
            Kind::Image => {
                let prepared = detached::prepare(&ImageDigest::sha256(digest));
                prepared.is_ok_and(|prepared| prepared == self.bytes)
            }
        };
        match is_named {
            true => Ok(()),
            false => Err(Error::NotAsDescribed {
                file: self.path.clone(),
                fact: "it is not what its name says is to be signed".to_owned(),
            }),
        }
    }

    /// Signs it, and writes request and signature.
    fn sign(&self, key: &Key, folder: &Path) -> Result<SignedRequest, Error> {
        if key.hash() != self.hash {
            return Err(Error::Request {
                fact: format!(
                    "{} was prepared for {:?}, and it is to be signed by {:?}",
                    self.path.display(),
                    self.hash,
                    key.hash()
                ),
                help: "give the same `digest` (`--digest`) to `boot.requests` and to `boot.sign`",
            });
        }
        let signature = key.sign(&self.bytes).map_err(|source| Error::Sign {
            file: self.path.clone(),
            source,
        })?;
        let (request, file) = self.kind.ends();
        let [request, file] = [request, file].map(|end| format!("{}.{end}", self.digest));
        output::bytes(&STAGED, &folder.join(&request), &self.bytes)?;
        output::bytes(&STAGED, &folder.join(&file), &signature)?;
        Ok(SignedRequest { request, file })
    }
}

/// The digest in the name of a request.
fn named_digest(path: &Path, end: &str) -> Option<[u8; 32]> {
    let name = path.file_name()?.to_str()?;
    let digest = name.strip_suffix(end)?.strip_suffix('.')?;
    let digest = data_encoding::HEXLOWER.decode(digest.as_bytes()).ok()?;
    digest.try_into().ok()
}
