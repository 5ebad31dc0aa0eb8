//! `boot.sign`: signs everything that a folder of requests asks for, where the key is.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::Hash;
use touchstone_sign::authenticode::ImageDigest;
use touchstone_sign::authenticode::detached::{self, Prepared};

use super::{SIGNATURE, SIGNED_DATA};
use crate::detached::LIMIT;
use crate::signing_key::{OpenKey, SigningKey};
use crate::source::read_small;
use crate::{Context, Error, output};

/// The request of `boot.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignRequests {
    /// The folder that `boot.requests` made.
    pub requests: PathBuf,
    /// Who signs.
    pub sign: SigningKey,
    /// The folder to make: each request and its signature, as `detached.signatures` of `boot.artifacts` takes them.
    pub output: PathBuf,
}

/// The answer of `boot.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedRequests {
    /// Subject of the signer's certificate.
    pub signed_by: String,
    /// What was signed, in the order of the digests.
    pub signatures: Vec<SignedRequest>,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedRequest {
    /// Authenticode SHA-256 of the image that it signs, in hex.
    pub authenticode_sha256: String,
    /// The file of the signature in the folder.
    pub file: String,
}

impl SignRequests {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; the folder is not made then.
    pub fn run(&self, context: &Context<'_>) -> Result<SignedRequests, Error> {
        let requests = self.read()?;
        let key = self.sign.open(context)?;
        context.progress.phase("signing");
        output::folder(&self.output, |folder| {
            let signatures = requests.iter().map(|request| request.sign(&key, folder));
            Ok(SignedRequests {
                signed_by: key
                    .signer
                    .certificate()
                    .tbs_certificate()
                    .subject()
                    .to_string(),
                signatures: signatures.collect::<Result<_, _>>()?,
            })
        })
    }

    /// Every request, in the order of the digests. Whatever else lies there was not meant to be signed, or is misnamed.
    fn read(&self) -> Result<Vec<Request>, Error> {
        let role = "folder of signing requests";
        let failed = |source| Error::Open {
            role,
            file: self.requests.clone(),
            source,
        };
        let mut requests = Vec::new();
        for entry in std::fs::read_dir(&self.requests).map_err(failed)? {
            requests.push(Request::read(&entry.map_err(failed)?.path())?);
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

/// A file to be signed.
struct Request {
    path: PathBuf,
    /// Authenticode SHA-256 of the image, in hex: the file's name.
    digest: String,
    bytes: Vec<u8>,
    hash: Hash,
}

impl Request {
    fn read(path: &Path) -> Result<Request, Error> {
        let digest = named_digest(path).ok_or_else(|| Error::Text {
            role: "signing request",
            file: path.to_owned(),
            fact: format!("its name is not an Authenticode SHA-256 in hex with .{SIGNED_DATA}"),
        })?;
        let bytes = read_small("signing request", path, LIMIT)?;
        let refused = |source| Error::Detached {
            file: path.to_owned(),
            source,
        };
        let hash = Prepared::read(&bytes).map_err(refused)?.hash();
        let request = Request {
            path: path.to_owned(),
            digest: crate::hex(&digest),
            bytes,
            hash,
        };
        request.check_name(&digest)?;
        Ok(request)
    }

    /// What is signed is what the name says. With another hash than SHA-256 the name cannot tell: it is compared when the signature is attached.
    fn check_name(&self, digest: &[u8; 32]) -> Result<(), Error> {
        let prepared = detached::prepare(&ImageDigest::sha256(digest));
        let prepared = prepared.map_err(|source| Error::Sign {
            file: self.path.clone(),
            source,
        })?;
        if self.hash != Hash::Sha256 || prepared == self.bytes {
            return Ok(());
        }
        Err(Error::NotAsDescribed {
            file: self.path.clone(),
            fact: "it is not what is signed for the image that its name says".to_owned(),
        })
    }

    /// Signs it, and writes request and signature.
    fn sign(&self, key: &OpenKey, folder: &Path) -> Result<SignedRequest, Error> {
        if key.hash != self.hash {
            return Err(Error::Request {
                fact: format!(
                    "{} was prepared for {:?}, and it is to be signed by {:?}",
                    self.path.display(),
                    self.hash,
                    key.hash
                ),
                help: "give the same `digest` (`--digest`) to `boot.requests` and to `boot.sign`",
            });
        }
        let signature = key.signer.sign(self.hash, &self.bytes);
        let signature = signature.map_err(|source| Error::Sign {
            file: self.path.clone(),
            source,
        })?;
        let named = |end: &str| format!("{}.{end}", self.digest);
        output::bytes(&folder.join(named(SIGNED_DATA)), &self.bytes)?;
        output::bytes(&folder.join(named(SIGNATURE)), &signature)?;
        Ok(SignedRequest {
            authenticode_sha256: self.digest.clone(),
            file: named(SIGNATURE),
        })
    }
}

/// The digest in the name of a request.
fn named_digest(path: &Path) -> Option<[u8; 32]> {
    let name = path.file_name()?.to_str()?;
    let digest = name.strip_suffix(SIGNED_DATA)?.strip_suffix('.')?;
    let digest = data_encoding::HEXLOWER.decode(digest.as_bytes()).ok()?;
    digest.try_into().ok()
}
