//! `pe.sign`: signs a PE image; and how every operation opens its key.

use std::fs::File;
use std::io::Seek;
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::{Image, authenticode, certificates};
use touchstone_sign::{FileSigner, Signer};

use crate::input::{Input, read_failed};
use crate::source::read_small;
use crate::{Context, Error, output};

/// Which private keys may be opened where an operation runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPolicy {
    /// Any key the caller can read: on a person's command line.
    Any,
    /// Only keys that are marked as test keys: inside a Nix build, where a real private key must never be.
    TestKeysOnly,
}

/// The key and certificate of a signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// The private key: the path of a PEM or DER file (PKCS#8 or PKCS#1). Never a store path.
    pub key: String,
    /// The certificate: the path of a PEM or DER file.
    pub certificate: PathBuf,
}

/// Keys and certificates are at most this large.
const KEY_LIMIT: u64 = 1 << 16;

impl SigningKey {
    /// Opens the key.
    ///
    /// # Errors
    /// [`Error::Key`] when the key lies in the store, is of a kind that this program does not open, is refused by `policy`, or does
    /// not belong to the certificate; [`Error::Open`] when a file is missing.
    pub fn open(&self, policy: KeyPolicy) -> Result<FileSigner, Error> {
        let refused = |fact: String, help| Error::Key {
            key: self.key.clone(),
            fact,
            help,
        };
        if let Some((scheme @ ("pkcs11" | "tpm2" | "agent"), _)) = self.key.split_once(':') {
            return Err(refused(
                format!("this program does not open {scheme}: keys"),
                "name a key file; tokens, TPMs and the signing agent are not built yet",
            ));
        }
        refuse_store_path(Path::new(&self.key))?;
        let certificate = read_small("signing certificate", &self.certificate, KEY_LIMIT)?;
        let key = read_small("signing key", Path::new(&self.key), KEY_LIMIT)?;
        let signer = FileSigner::new(&key, &certificate).map_err(|error| {
            refused(
                error.to_string(),
                "name a key and the certificate that was made for it",
            )
        })?;
        if policy == KeyPolicy::TestKeysOnly
            && !touchstone_sign::keys::is_test_key(signer.certificate())
        {
            return Err(refused(
                "a private key must not enter a Nix build, and this one is not marked as a test key".to_owned(),
                "sign outside of the build with `touchstone pe sign`, or use keys made by `touchstone keys generate` in tests",
            ));
        }
        Ok(signer)
    }
}

/// Refuses a private key that lies in the Nix store.
///
/// # Errors
/// [`Error::Key`].
pub(crate) fn refuse_store_path(key: &Path) -> Result<(), Error> {
    // As it is written, and where it leads: a link outside of the store makes no key in it private.
    let leads_to = std::fs::canonicalize(key).unwrap_or_default();
    if ![without_detours(key), leads_to]
        .iter()
        .any(|path| path.starts_with("/nix/store"))
    {
        return Ok(());
    }
    Err(Error::Key {
        key: key.display().to_string(),
        fact: "it lies in the Nix store, which every user and every build can read".to_owned(),
        help: "keep the key outside of the store and name it by an absolute path in a string; make a new key, this one is public",
    })
}

/// The path with each `name/..` left out.
fn without_detours(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

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
        let signer = self.sign.open(context.keys)?;
        context.progress.phase("signing");
        output::file(&self.output, |out| {
            let seal = Seal {
                signer: &signer,
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
    pub(crate) signer: &'a dyn Signer,
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
    Seal { signer, checksum }: Seal<'_>,
    path: &Path,
    target: &Path,
) -> Result<SignedPe, Error> {
    let signature =
        touchstone_sign::authenticode::signature(digest, signer).map_err(|source| Error::Sign {
            file: path.to_owned(),
            source,
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
        signed_by: signer.certificate().tbs_certificate().subject().to_string(),
    })
}
