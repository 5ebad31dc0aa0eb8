//! How every operation opens its signing key: a file, and where it is built in, a token or a TPM.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::{CertifiedSigner, FileSigner, Hash, SignError, Signer, certificate};

use crate::source::read_small;
use crate::{Context, Error};

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
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SigningKey {
    /// The private key: the path of a PEM or DER file (PKCS#8, encrypted or not, or PKCS#1), `pkcs11:…` (RFC 7512) or `tpm2:…`. Never a store path.
    pub key: String,
    /// The certificate: the path of a PEM or DER file. Certificates after the first go into the signature as its chain.
    pub certificate: PathBuf,
    /// The file whose first line is the passphrase of an encrypted key file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// The digest of image and signature.
    #[serde(default)]
    pub digest: SignatureDigest,
    /// Whether a certificate that is not valid today may sign. Firmware ignores dates, other verifiers do not.
    #[serde(default)]
    pub allow_expired: bool,
}

/// The digest that a signature is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignatureDigest {
    /// SHA-256: what every firmware verifies.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
}

impl From<SignatureDigest> for Hash {
    fn from(digest: SignatureDigest) -> Hash {
        match digest {
            SignatureDigest::Sha256 => Hash::Sha256,
            SignatureDigest::Sha384 => Hash::Sha384,
        }
    }
}

/// A key that is ready to sign.
#[derive(Debug)]
pub struct OpenKey {
    /// Who signs.
    pub signer: CertifiedSigner,
    /// The digest of image and signature.
    pub hash: Hash,
}

/// Keys and certificates are at most this large.
const KEY_LIMIT: u64 = 1 << 16;

impl SigningKey {
    /// Opens the key.
    ///
    /// # Errors
    /// [`Error::Key`] when the key lies in the store, is of a kind that this program does not open, or is refused by the context's
    /// policy; [`Error::Signer`] when it cannot be used or its certificate is another's or not valid now; [`Error::Open`] when a file is
    /// missing.
    pub fn open(&self, context: &Context<'_>) -> Result<OpenKey, Error> {
        let failed = |source| Error::Signer {
            key: self.key.clone(),
            source,
        };
        let certificates = certificate::read_all(&read_small(
            "signing certificate",
            &self.certificate,
            KEY_LIMIT,
        )?)
        .map_err(|error| Error::SignatureData {
            role: "signing certificate",
            file: self.certificate.clone(),
            fact: error.to_string(),
        })?;
        let signer = CertifiedSigner::new(self.holder()?, certificates).map_err(failed)?;
        if context.keys == KeyPolicy::TestKeysOnly
            && !touchstone_sign::keys::is_test_key(signer.certificate())
        {
            return Err(self.refused(
                "a private key must not enter a Nix build, and this one is not marked as a test key",
                "sign outside of the build with `touchstone pe sign`, or use keys made by `touchstone keys generate` in tests",
            ));
        }
        if let Some(now) = context.now.filter(|_| !self.allow_expired) {
            certificate::check_validity(signer.certificate(), now)
                .map_err(|error| failed(SignError::from(error)))?;
        }
        Ok(OpenKey {
            signer,
            hash: self.digest.into(),
        })
    }

    /// Who holds the key.
    fn holder(&self) -> Result<Box<dyn Signer>, Error> {
        match self.key.split_once(':') {
            Some((scheme @ ("pkcs11" | "tpm2" | "agent"), _)) => Err(self.refused(
                format!("this program does not open {scheme}: keys"),
                "use the dynamic `touchstone`, which loads modules and TPM libraries, or let the signing agent sign",
            )),
            _ => self.in_file(),
        }
    }

    fn in_file(&self) -> Result<Box<dyn Signer>, Error> {
        refuse_store_path(Path::new(&self.key))?;
        let key = read_small("signing key", Path::new(&self.key), KEY_LIMIT)?;
        match FileSigner::new(&key) {
            Ok(signer) => Ok(Box::new(signer)),
            Err(source) => Err(Error::Signer {
                key: self.key.clone(),
                source,
            }),
        }
    }

    fn refused(&self, fact: impl Into<String>, help: &'static str) -> Error {
        Error::Key {
            key: self.key.clone(),
            fact: fact.into(),
            help,
        }
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
