//! How every operation opens its signing key: a file, and where it is built in, a token or a TPM.

mod image;
#[cfg(feature = "token")]
mod token;
#[cfg(feature = "tpm")]
mod tpm;

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::{
    Certificate, CertifiedSigner, FileSigner, Hash, PublicKey, SignError, Signer, Work, certificate,
};
use zeroize::Zeroizing;

use crate::source::{read_secret, read_small};
use crate::{Context, Error, Files};

pub(crate) use image::{AgentSigner, Answered, ImageKey};

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
    /// The private key: the path of a PEM or DER file (PKCS#8, encrypted or not, PKCS#1 or SEC 1), `pkcs11:…` (RFC 7512), `tpm2:…`, or `agent:…` where an image is signed. Never a store path.
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

/// The schemes of URIs that name a key outside of a file.
const HOLDERS: [&str; 3] = ["pkcs11", "tpm2", "agent"];

/// Keys and certificates are at most this large.
pub(crate) const KEY_LIMIT: usize = 1 << 16;

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
        let holder = Holder {
            key: &self.key,
            passphrase_file: self.passphrase_file.as_deref(),
        };
        // Before anything else: such a key is lost, whatever else is wrong.
        holder.refuse_store(context.files)?;
        let certificates = read_certificates(context.files, &self.certificate)?;
        let public = certificates.first().map(PublicKey::of);
        let holder = holder.open(context.files, public.and_then(Result::ok).as_ref())?;
        let signer = CertifiedSigner::new(holder, certificates).map_err(failed)?;
        if context.keys == KeyPolicy::TestKeysOnly
            && !touchstone_sign::keys::is_test_key(signer.certificate())
        {
            return Err(refused(
                &self.key,
                "a private key must not enter a Nix build, and this one is not marked as a test key",
                "sign outside of the build with `touchstone pe sign`, or use keys made by `touchstone keys generate --test` in tests",
            ));
        }
        check_validity(signer.certificate(), self.allow_expired, context).map_err(failed)?;
        Ok(OpenKey {
            signer,
            hash: self.digest.into(),
        })
    }
}

/// A private key by its name, and what opens it.
pub(crate) struct Holder<'a> {
    /// As [`SigningKey::key`].
    pub(crate) key: &'a str,
    /// As [`SigningKey::passphrase_file`].
    pub(crate) passphrase_file: Option<&'a Path>,
}

impl Holder<'_> {
    /// The scheme of the URI that names the key; `None` for a key file.
    fn scheme(&self) -> Option<&str> {
        let (scheme, _) = self.key.split_once(':')?;
        HOLDERS.contains(&scheme).then_some(scheme)
    }

    /// Refuses a key file that lies in the Nix store.
    ///
    /// # Errors
    /// [`Error::Key`], [`Error::Open`] where nobody may look.
    pub(crate) fn refuse_store(&self, files: &dyn Files) -> Result<(), Error> {
        match self.scheme() {
            None => refuse_store_path(files, Path::new(self.key)),
            Some(_) => Ok(()),
        }
    }

    /// Opens the key. `public` is its other half where that is known.
    ///
    /// # Errors
    /// As [`SigningKey::open`].
    #[cfg_attr(
        not(feature = "token"),
        expect(unused_variables, reason = "tokens alone may not tell a public key")
    )]
    pub(crate) fn open(
        &self,
        files: &dyn Files,
        public: Option<&PublicKey>,
    ) -> Result<Box<dyn Signer>, Error> {
        let Some(scheme) = self.scheme() else {
            return self.in_file(files);
        };
        self.refuse_passphrase()?;
        let refused = |fact: String, help| refused(unread(self.key), fact, help);
        match scheme {
            #[cfg(feature = "token")]
            "pkcs11" => token::open(files, self.key, public),
            #[cfg(feature = "tpm")]
            "tpm2" => tpm::open(files, self.key),
            "agent" => Err(refused(
                "a signing agent signs images, their values of PCR 11, and manifests, all of which it reads; not what is signed here"
                    .to_owned(),
                "name a key file, a token's key or a TPM's",
            )),
            _ => Err(refused(
                format!("this program does not open {scheme}: keys"),
                "use the dynamic `touchstone`, which loads modules and TPM libraries, or let the signing agent sign",
            )),
        }
    }

    /// Refuses a passphrase beside a key that is in no file.
    ///
    /// # Errors
    /// [`Error::Key`].
    fn refuse_passphrase(&self) -> Result<(), Error> {
        if self.passphrase_file.is_none() || self.scheme().is_none() {
            return Ok(());
        }
        Err(self.refused(
            "a passphrase opens key files only",
            "name the file with the PIN or authorization value in the URI: `pin-source` or `auth-source`",
        ))
    }

    fn in_file(&self, files: &dyn Files) -> Result<Box<dyn Signer>, Error> {
        let key = read_secret(files, "signing key", Path::new(self.key), KEY_LIMIT)?;
        let signer = match self.passphrase_file {
            Some(file) => {
                FileSigner::encrypted(&key, first_line(&passphrase(files, file)?), Work::LIMIT)
            }
            None => FileSigner::new(&key),
        };
        match signer {
            Ok(signer) => Ok(Box::new(signer)),
            Err(source) => Err(Error::Signer {
                key: self.key.to_owned(),
                source,
            }),
        }
    }

    /// This key, refused.
    pub(crate) fn refused(&self, fact: &str, help: &'static str) -> Error {
        refused(unread(self.key), fact, help)
    }
}

fn refused(key: &str, fact: impl Into<String>, help: &'static str) -> Error {
    Error::Key {
        key: key.to_owned(),
        fact: fact.into(),
        help,
    }
}

/// What may be shown of a URI that was not read: a PIN or authorization value may have been put into it.
fn unread(uri: &str) -> &str {
    let name = uri.split('?').next().unwrap_or_default();
    let is_secret = ["value=", "auth="].iter().any(|word| name.contains(word));
    let shown = if is_secret { ':' } else { '?' };
    uri.split(shown).next().unwrap_or_default()
}

/// Reads the certificates of a signer, never none.
///
/// # Errors
/// [`Error::Open`] and [`Error::SignatureData`].
pub(crate) fn read_certificates(files: &dyn Files, file: &Path) -> Result<Vec<Certificate>, Error> {
    let role = "signing certificate";
    let bytes = read_small(files, role, file, KEY_LIMIT as u64)?;
    certificate::read_all(&bytes).map_err(|error| Error::SignatureData {
        role,
        file: file.to_owned(),
        fact: error.to_string(),
    })
}

/// Is the certificate valid now, where there is a now and nobody allows it otherwise?
///
/// # Errors
/// [`CertificateError::NotValid`](certificate::CertificateError::NotValid).
pub(crate) fn check_validity(
    certificate: &Certificate,
    allow_expired: bool,
    context: &Context<'_>,
) -> Result<(), SignError> {
    match context.now {
        Some(now) if !allow_expired => Ok(certificate::check_validity(certificate, now)?),
        _ => Ok(()),
    }
}

/// What is in the file of a passphrase.
fn passphrase(files: &dyn Files, file: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let secret = Secret {
        role: "passphrase",
        subject: "its passphrase",
        help: "keep the passphrase outside of the store; give the key a new one, this one is public",
    };
    secret.place(files, file)?;
    read_secret(files, secret.role, file, KEY_LIMIT)
}

/// Without the line's end: the passphrase as `openssl -passin file:…` takes it.
fn first_line(bytes: &[u8]) -> &[u8] {
    bytes
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default()
}

/// Refuses a private key that lies in the Nix store.
///
/// # Errors
/// [`Error::Key`], [`Error::Open`] where nobody may look.
pub(crate) fn refuse_store_path(files: &dyn Files, key: &Path) -> Result<(), Error> {
    let secret = Secret {
        role: "signing key",
        subject: "it",
        help: "keep the key outside of the store and name it by an absolute path in a string; make a new key, this one is public",
    };
    secret.place(files, key).map(drop)
}

/// What must not lie in the Nix store, and what is said where it does.
struct Secret {
    /// What the file is.
    role: &'static str,
    /// What lies there, in a sentence about a key.
    subject: &'static str,
    /// What to do then.
    help: &'static str,
}

impl Secret {
    /// Where its file lies.
    ///
    /// # Errors
    /// [`Error::Key`] where that is the store, [`Error::Open`] where nobody may look.
    fn place(&self, files: &dyn Files, file: &Path) -> Result<PathBuf, Error> {
        let Self {
            role,
            subject,
            help,
        } = *self;
        let in_store = Error::Key {
            key: file.display().to_string(),
            fact: format!(
                "{subject} lies in the Nix store, which every user and every build can read"
            ),
            help,
        };
        if is_in_store(file) {
            return Err(in_store);
        }
        let place = files.locate(file).map_err(|source| Error::Open {
            role,
            file: file.to_owned(),
            source,
        })?;
        // Also where it leads: a link outside of the store makes no secret in it private.
        let leads_to = std::fs::canonicalize(&place).unwrap_or_default();
        match is_in_store(&place) || is_in_store(&leads_to) {
            true => Err(in_store),
            false => Ok(place),
        }
    }
}

/// Whether the path is one of the store, as it is written.
fn is_in_store(path: &Path) -> bool {
    without_detours(path).starts_with("/nix/store")
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
