//! Bootspec documents (docs/bootspec.md): written, read, upgraded, and made for generations that have none.

mod emit;
mod file;
mod show;
mod synthesize;
mod toplevel;
mod upgrade;
mod validate;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use touchstone_bootspec::touchstone;
use touchstone_bootspec::{
    Document, INITRD_SECRETS, InitrdSecretsError, ReadError, SynthesizeError, UpgradeError,
};
use touchstone_store::json::JsonError;

pub(crate) use file::{DOCUMENT, LIMIT};

pub use emit::{DescribedGeneration, DescribedSpecialisation, EmitBootspec, EmittedBootspec};
pub use show::{ShowBootspec, ShownBootspec, ShownGeneration, ShownSpecialisation};
pub use synthesize::{SynthesizeBootspec, SynthesizedBootspec, synthesized};
pub use upgrade::{UpgradeBootspec, UpgradedBootspec};
pub use validate::{ValidBootspec, ValidateBootspec, ValidatedBootspecs};

/// A document of which an answer holds the value, which is made when the answer is printed.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenDocument(pub Document);

impl WrittenDocument {
    /// The document as it is written to a file.
    pub fn text(&self) -> String {
        self.0.to_json()
    }
}

impl Serialize for WrittenDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_value().serialize(serializer)
    }
}

impl JsonSchema for WrittenDocument {
    fn schema_name() -> Cow<'static, str> {
        "WrittenDocument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

/// Why a file is no Bootspec document, or none can be made of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoBootspec {
    /// It breaks a rule of the format.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Its secrets of the initrd break a rule of their own.
    #[error("{}{source}", within(.specialisation))]
    InitrdSecrets {
        /// The specialisation, or none for the generation itself.
        specialisation: Option<String>,
        /// The rule.
        source: InitrdSecretsError,
    },
    /// What it says of boot artifacts breaks a rule of its own.
    #[error("in {}: {source}", touchstone::KEY)]
    Touchstone {
        /// The rule.
        source: JsonError,
    },
    /// It cannot be upgraded.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// What was to be added is no path of a document.
    #[error("`{what}` is none of a document's paths: {fact}")]
    Addition {
        /// The field of the request.
        what: &'static str,
        /// Why.
        fact: String,
    },
    /// No document can be made of a toplevel.
    #[error(transparent)]
    Synthesize(#[from] SynthesizeError),
    /// The toplevel is not one that a document can be made of.
    #[error("{0}")]
    Toplevel(String),
    /// The toplevel has a document.
    #[error("the toplevel has a boot.json: there is nothing to synthesize")]
    HasDocument,
}

fn within(specialisation: &Option<String>) -> String {
    match specialisation {
        Some(name) => format!("in the specialisation `{}`: ", name.escape_debug()),
        None => String::new(),
    }
}

impl NoBootspec {
    /// What the person who reads this can do.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Read(_) | Self::Touchstone { .. } => {
                "correct the named key where the document is made (boot.bootspec in a NixOS configuration)"
            }
            Self::InitrdSecrets { .. } => {
                "correct the extension; docs/org.nixos.initrd-secrets.v1.md has its rules"
            }
            Self::Upgrade(UpgradeError::InitrdSecrets { .. }) => {
                "add the extension, or pass --without-initrd-secrets where boot.initrd.secrets is empty"
            }
            Self::Upgrade(UpgradeError::AlreadyV2) => {
                "upgrade the document that has v1 alone, with everything that is to be added"
            }
            Self::Upgrade(UpgradeError::Invalid(_)) | Self::Addition { .. } => {
                "give paths in the Nix store"
            }
            Self::Synthesize(_) | Self::Toplevel(_) => {
                "name the toplevel of a NixOS generation, as /nix/var/nix/profiles/system is one"
            }
            Self::HasDocument => "use `touchstone bootspec upgrade` with it",
        }
    }
}

/// The error of a place of the initrd's secrets, where the extension is one of a specialisation.
fn initrd_secrets_place(specialisation: Option<&str>) -> String {
    match specialisation {
        Some(name) => format!("{name}/{INITRD_SECRETS}"),
        None => INITRD_SECRETS.to_owned(),
    }
}
