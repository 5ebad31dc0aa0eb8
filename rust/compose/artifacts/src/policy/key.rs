//! The key that signs policies: it needs no certificate.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::{PublicKey, Signer, certificate};

use crate::signing_key::{Holder, KEY_LIMIT, KeyPolicy};
use crate::source::read_small;
use crate::{Context, Error, Files};

/// The key of signed policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicyKey {
    /// The private key, as in [`SigningKey`](crate::signing_key::SigningKey).
    pub key: String,
    /// The file whose first line is the passphrase of an encrypted key file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// Its public half, in PEM or DER, or a certificate of it: refused when it is another's. Inside of a Nix build it must be the
    /// certificate of a test key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PathBuf>,
}

impl PolicyKey {
    /// Opens the key.
    ///
    /// # Errors
    /// [`Error::Key`] when the key lies in the store, is not the public key's other half, or is refused by the context's policy; else as
    /// [`SigningKey::open`](crate::signing_key::SigningKey::open).
    pub fn open(&self, context: &Context<'_>) -> Result<Box<dyn Signer>, Error> {
        let holder = Holder {
            key: &self.key,
            passphrase_file: self.passphrase_file.as_deref(),
        };
        holder.refuse_store(context.files)?;
        let public = self
            .public_key
            .as_deref()
            .map(|file| read_public(context.files, file))
            .transpose()?;
        if context.keys == KeyPolicy::TestKeysOnly && !self.is_test_key(context.files) {
            return Err(holder.refused(
                "a private key must not enter a Nix build, and no certificate says that this one is a test key",
                "sign outside of the build with `touchstone policy sign`, or give keys made by `touchstone keys generate --test` and their certificate as `publicKey`",
            ));
        }
        let signer = holder.open(context.files, public.as_ref())?;
        match public.is_none_or(|public| public == *signer.public_key()) {
            true => Ok(signer),
            false => Err(holder.refused(
                "it is not the other half of the given public key",
                "give the public key that belongs to it, or none",
            )),
        }
    }

    /// Whether the public key is given by the certificate of a test key.
    fn is_test_key(&self, files: &dyn Files) -> bool {
        let bytes = self
            .public_key
            .as_deref()
            .and_then(|file| read_small(files, "public key", file, KEY_LIMIT as u64).ok());
        bytes
            .and_then(|bytes| certificate::read(&bytes).ok())
            .is_some_and(|certificate| touchstone_sign::keys::is_test_key(&certificate))
    }
}

/// Reads a public key, or that of a certificate.
///
/// # Errors
/// [`Error::Open`] and [`Error::SignatureData`].
pub(crate) fn read_public(files: &dyn Files, file: &Path) -> Result<PublicKey, Error> {
    let role = "public key";
    let bytes = read_small(files, role, file, KEY_LIMIT as u64)?;
    PublicKey::read(&bytes).map_err(|error| Error::SignatureData {
        role,
        file: file.to_owned(),
        fact: error.to_string(),
    })
}
