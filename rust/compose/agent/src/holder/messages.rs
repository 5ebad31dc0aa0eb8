//! What agent and holder say to one another, in the frames of the agent's own protocol.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use touchstone_sign::{Fault, Hash, SignError};

/// A key that the holder opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeySpec {
    /// How it signs.
    pub form: KeyForm,
    /// The private key: a file, `pkcs11:…` or `tpm2:…`. Of a Nix key and of the log's, a file.
    pub key: String,
    /// The file whose first line is the passphrase of an encrypted key file.
    pub passphrase_file: Option<PathBuf>,
    /// The file of its public half or of its certificate, where there is one.
    pub public: Option<PathBuf>,
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyForm {
    /// RSA or ECDSA: images and values of PCR 11.
    Boot,
    /// A Nix secret key: Ed25519 under a name.
    Nix,
    /// The key of a log's checkpoints: Ed25519 under a name.
    Checkpoint,
}

/// What the agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", deny_unknown_fields, rename_all = "camelCase")]
pub(super) enum Ask {
    /// Once, first: open these. The payload is the list of [`KeySpec`]s in JSON.
    Open {},
    /// Sign. The payload is the whole message.
    Sign {
        /// Which of the keys, from 0.
        key: usize,
        /// The digest, for a boot key.
        hash: HashName,
    },
}

/// What the holder answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "told", deny_unknown_fields, rename_all = "camelCase")]
pub(super) enum Told {
    /// All keys are open. The payload is the list of [`PublicHalf`]s in JSON, in the order of the keys.
    Opened {},
    /// The payload is the signature.
    Signed {},
    /// It cannot be done.
    Failed(NotHeld),
}

/// What may be known of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct PublicHalf {
    /// The public key: PEM, or `name:base64`.
    pub(super) public: String,
    /// Where the private half is, in words.
    pub(super) place: String,
}

/// Why a key is not open, or does not sign. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NotHeld {
    /// A stable name of the kind of failure, such as `key.wrong-secret`.
    pub code: String,
    /// What happened.
    pub what: String,
    /// The key or file.
    pub file: Option<PathBuf>,
    /// What to do.
    pub help: String,
}

impl NotHeld {
    pub(super) fn new(code: &str, what: String, help: &str) -> Self {
        Self {
            code: code.to_owned(),
            what,
            file: None,
            help: help.to_owned(),
        }
    }

    pub(super) fn of_signing(error: &SignError) -> Self {
        let fault = error.fault();
        Self::new(fault.code(), error.to_string(), fault.help())
    }

    /// As a signer's failure.
    pub(super) fn of_holder(self, signer: String) -> SignError {
        let known = FAULTS.iter().find(|fault| fault.code() == self.code);
        SignError::Holder {
            signer,
            fault: known.copied().unwrap_or(Fault::Failed),
            what: self.what,
        }
    }
}

impl From<touchstone_artifacts::Error> for NotHeld {
    fn from(error: touchstone_artifacts::Error) -> Self {
        Self {
            code: error.code().to_owned(),
            what: error.to_string(),
            file: error.file().map(Into::into),
            help: error.help().to_owned(),
        }
    }
}

/// What can happen to a key that is open.
const FAULTS: [Fault; 9] = [
    Fault::Unreachable,
    Fault::Missing,
    Fault::Unsupported,
    Fault::SecretNeeded,
    Fault::WrongSecret,
    Fault::Locked,
    Fault::Lockout,
    Fault::WrongSignature,
    Fault::Failed,
];

/// A digest by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum HashName {
    Sha256,
    Sha384,
    Sha512,
}

impl From<Hash> for HashName {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha256 => Self::Sha256,
            Hash::Sha384 => Self::Sha384,
            Hash::Sha512 => Self::Sha512,
        }
    }
}

impl From<HashName> for Hash {
    fn from(name: HashName) -> Self {
        match name {
            HashName::Sha256 => Self::Sha256,
            HashName::Sha384 => Self::Sha384,
            HashName::Sha512 => Self::Sha512,
        }
    }
}
