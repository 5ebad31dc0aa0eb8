//! The policy: which builds and persons may have what signed by which key.
//!
//! A policy is a JSON document (`docs/agent-policy.md`), typed and closed: what is not known is refused, and so is what would let more pass
//! than somebody who writes a policy can mean ([`Fault`]). [`Policy::read`] is pure; what the machine adds, owners and modes of files, is
//! [`Policy::check_files`]'s question.

mod digest;
mod fault;
mod files;
mod image;
mod loose;
mod origin;
mod pattern;
mod rule;
mod schema;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::json;

pub use digest::Sha256Text;
pub use fault::{Fault, PolicyError};
pub use files::FileFault;
pub use image::{
    Addon, CommandLine, Content, ImageConstraints, Loader, OfToplevel, Program, SectionContent, Uki,
};
pub use origin::Origin;
pub use pattern::{Pattern, PatternError};
pub use rule::{Authenticode, Derivations, ManifestOperation, Operation, PcrPolicy, Rule};

use crate::limits::Limits;
use crate::log::Settings;
use crate::protocol::{KeyKind, KeyName};

/// Longest policy in bytes.
pub const LIMIT: usize = 1 << 20;
/// The version of the format.
pub const VERSION: u32 = 1;

/// What a policy says, checked: there is no other way to one than [`Policy::read`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Policy {
    document: Document,
    /// The file that it was read from, in messages.
    #[serde(skip)]
    file: PathBuf,
}

/// A policy as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Document {
    /// The version of the format: 1.
    pub version: u32,
    /// The folder that holds `nix/store` and `nix/var/nix/db`: `/`, unless Nix has a store of its own there (`local?root=…`).
    #[serde(default = "root")]
    pub store: PathBuf,
    /// The keys, by the names that clients use (`agent:NAME`).
    pub keys: BTreeMap<KeyName, Key>,
    /// What images must be, by names that operations use.
    #[serde(default)]
    pub images: BTreeMap<String, ImageConstraints>,
    /// Who may have what signed. Everything else is refused.
    pub rules: Vec<Rule>,
    /// How long grants hold.
    #[serde(default)]
    pub grants: GrantSettings,
    /// How much of the agent clients can have.
    #[serde(default)]
    pub limits: Limits,
    /// The log.
    pub log: Settings,
}

fn root() -> PathBuf {
    PathBuf::from("/")
}

/// How long a grant holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct GrantSettings {
    /// Seconds in which the build must begin: 1 to 604 800, a week.
    pub seconds: u64,
    /// How many times it may begin, for builds that fail are tried again: 1 to 1 000.
    pub builds: u32,
}

impl Default for GrantSettings {
    fn default() -> Self {
        Self {
            seconds: 3600,
            builds: 4,
        }
    }
}

/// A key of the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Key {
    /// What it signs.
    pub kind: KeyKind,
    /// The private key: the absolute path of a file (PEM or DER; of kind `nix` a file of `nix-store --generate-binary-cache-key`),
    /// `pkcs11:…` or `tpm2:…` (not of kind `nix`). Never a store path.
    pub key: String,
    /// The file whose first line is the passphrase of an encrypted key file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// Of kind `image`: the file with the certificate; those after the first go into signatures as its chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Of kind `pcr`: the file with the public key in PEM, byte for byte what `.pcrpkey` holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PathBuf>,
}

impl Policy {
    /// Reads a policy. Total: any bytes give a policy or a named error. `file` is what it is called in errors.
    ///
    /// # Errors
    /// [`PolicyError`], when it is malformed or loose.
    pub fn read(file: &Path, bytes: &[u8]) -> Result<Self, PolicyError> {
        let refused = |fault: Fault| PolicyError {
            file: file.to_owned(),
            fault,
        };
        if bytes.len() > LIMIT {
            return Err(refused(Fault::TooLong(bytes.len())));
        }
        let value = json::parse(bytes).map_err(|error| refused(Fault::Json(error.to_string())))?;
        let document: Document = serde_path_to_error::deserialize(value).map_err(|error| {
            refused(Fault::Document {
                at: error.path().to_string(),
                fact: error.inner().to_string(),
            })
        })?;
        loose::check(&document).map_err(refused)?;
        Ok(Self {
            document,
            file: file.to_owned(),
        })
    }

    /// What it says.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The file that it was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// All keys, in the order of their names.
    pub fn keys(&self) -> impl Iterator<Item = (&KeyName, &Key)> {
        self.document.keys.iter()
    }

    /// The JSON schema of a policy.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Document)
    }

    /// Looks at the files on this machine: nobody but root and the one who runs the agent may write the policy, a file that it names, or a
    /// folder above one; nobody else may read what is secret.
    ///
    /// # Errors
    /// [`PolicyError`] with [`Fault::File`].
    pub fn check_files(&self) -> Result<(), PolicyError> {
        files::check(self).map_err(|fault| PolicyError {
            file: self.file.clone(),
            fault: fault.into(),
        })
    }
}

#[cfg(test)]
mod tests;
