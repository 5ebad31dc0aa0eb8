//! The Secure Boot variables of a machine whose registers are predicted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The Secure Boot variables: files that hold a variable's value, a sequence of EFI signature lists (ESL).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecureBoot {
    /// `PK`.
    #[serde(rename = "PK")]
    pub pk: PathBuf,
    /// `KEK`.
    #[serde(rename = "KEK")]
    pub kek: PathBuf,
    /// `db`.
    pub db: PathBuf,
    /// `dbx`; empty when not given.
    pub dbx: Option<PathBuf>,
    /// `dbt`; not there when not given.
    pub dbt: Option<PathBuf>,
    /// The certificate by which images that are not signed yet will be signed: an entry of `db`.
    pub certificate: Option<PathBuf>,
    /// Whether the firmware enforces signatures.
    #[serde(default = "enforced")]
    pub enabled: bool,
    /// Updates of the variables that are pending, by name: the machine may boot before or after each of them, so each gives leaves of
    /// its own.
    #[serde(default)]
    pub updates: BTreeMap<String, VariableUpdate>,
}

/// Contents of the variables after an update; those that are not given stay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariableUpdate {
    /// `PK`.
    #[serde(rename = "PK")]
    pub pk: Option<PathBuf>,
    /// `KEK`.
    #[serde(rename = "KEK")]
    pub kek: Option<PathBuf>,
    /// `db`.
    pub db: Option<PathBuf>,
    /// `dbx`.
    pub dbx: Option<PathBuf>,
}

fn enforced() -> bool {
    true
}
