//! `boot.artifacts`: everything that one generation needs to boot and to be verified, in one folder (docs/boot-artifacts.md).

mod described;
mod extension;
mod files;
mod maker;
mod prediction;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::described::described;
pub(crate) use self::maker::{Maker, Places};
use crate::boot_signatures::DetachedSignatures;
use crate::bootspec::DescribedGeneration;
use crate::firmware::Measure;
use crate::manifest::ManifestSummary;
use crate::policy::PcrSign;
use crate::signing_key::SigningKey;
use crate::source::Text;
use crate::uki::{AssembledUki, Ukify};
use crate::{Context, Error, output};

/// The request of `boot.artifacts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BootArtifacts {
    /// The generation and its specialisations.
    pub bootspec: DescribedGeneration,
    /// The systemd stub.
    pub stub: PathBuf,
    /// The boot loader, systemd-boot: copied, and signed if a key is given.
    pub loader: Option<PathBuf>,
    /// The os-release text.
    pub os_release: Option<Text>,
    /// SBAT entries of the UKIs.
    #[serde(default)]
    pub sbat: Vec<Text>,
    /// A boot splash (BMP).
    pub splash: Option<PathBuf>,
    /// A microcode archive.
    pub ucode: Option<PathBuf>,
    /// The ukify release whose byte rules are followed.
    #[serde(default)]
    pub compat: Ukify,
    /// Who signs the UKIs and the loader; unsigned without it.
    pub sign: Option<SigningKey>,
    /// The signatures of the UKIs and the loader, made elsewhere; in the place of `sign`.
    pub detached: Option<DetachedSignatures>,
    /// Who signs the UKIs' values of PCR 11 (`.pcrsig`); nobody without it.
    pub pcr_sign: Option<PcrSign>,
    /// What is predicted; nothing without it. Needs `loader`.
    pub measure: Option<Measure>,
    /// The list that Nix' `exportReferencesGraph` gives for the toplevel; no manifest without it.
    pub closure: Option<Value>,
    /// The file of a Nix secret key that signs the manifest; unsigned without it.
    pub manifest_key: Option<PathBuf>,
    /// The folder to make.
    pub output: PathBuf,
}

/// The answer of `boot.artifacts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeBootArtifacts {
    /// The generation's UKI.
    pub uki: AssembledUki,
    /// The specialisations' UKIs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub specialisations: BTreeMap<String, AssembledUki>,
    /// The boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<AssembledUki>,
    /// The manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestSummary>,
}

impl BootArtifacts {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; the folder is not made then.
    pub fn run(&self, context: &Context<'_>) -> Result<MadeBootArtifacts, Error> {
        let maker = Maker::open(self, context)?;
        output::folder(&self.output, |folder| maker.make(&Places::beside(folder)))
    }
}
