//! Who may have what signed.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{Bank, PhasePath};
use touchstone_store::manifest::Class;

use super::{Origin, Pattern};
use crate::protocol::KeyName;

/// A rule: who may have what signed. One of `derivations` and `users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rule {
    /// What the rule is called in the log.
    pub name: String,
    /// Builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derivations: Option<Derivations>,
    /// Persons, by their names on this machine, who ask without a build.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub users: BTreeSet<String>,
    /// What is signed for them.
    pub operations: Vec<Operation>,
}

/// Builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Derivations {
    /// The names of derivations, without `.drv`. Whoever may use Nix chooses them, so that they protect from accidents alone.
    pub names: Vec<Pattern>,
    /// Persons, by their names on this machine, one of whom (or root) must have granted the very derivation: `touchstone agent grant`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub requesters: BTreeSet<String>,
}

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Images.
    Authenticode(Authenticode),
    /// Policies over the values that PCR 11 will have.
    PcrPolicy(PcrPolicy),
    /// Path fingerprints.
    Manifest(ManifestOperation),
}

impl Operation {
    /// The key that signs.
    pub fn key(&self) -> &KeyName {
        match self {
            Self::Authenticode(operation) => &operation.key,
            Self::PcrPolicy(operation) => &operation.key,
            Self::Manifest(operation) => &operation.key,
        }
    }

    /// What it is called in requests.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Authenticode(_) => "authenticode",
            Self::PcrPolicy(_) => "pcrPolicy",
            Self::Manifest(_) => "manifest",
        }
    }
}

/// Signatures of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Authenticode {
    /// A key of kind `image`.
    pub key: KeyName,
    /// What the image must be: a name of `images`.
    pub image: String,
}

/// Signatures of PCR 11.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PcrPolicy {
    /// A key of kind `pcr`.
    pub key: KeyName,
    /// What the image must be whose values are signed: a name of `images`, a UKI.
    pub image: String,
    /// The banks that may be asked for.
    pub banks: BTreeSet<Bank>,
    /// The phase paths that may be asked for; empty is the moment before the first phase.
    pub phases: BTreeSet<PhasePath>,
    /// The policy references that may be asked for; without one only signatures without reference.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub policy_refs: BTreeSet<String>,
}

/// Signatures of path fingerprints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ManifestOperation {
    /// A key of kind `nix`.
    pub key: KeyName,
    /// Where the paths must come from. What is addressed by its content and referred to is authentic with what refers to it.
    pub origin: Origin,
    /// The classes of machines for which whole manifests are signed; without one only manifests for no class.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub classes: BTreeSet<Class>,
}
