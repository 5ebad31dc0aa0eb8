//! `boot.artifacts`: everything that one generation needs to boot and to be verified, in one folder (docs/boot-artifacts.md).

mod described;
mod extension;
mod files;
mod image;
mod maker;
mod places;
mod plan;
mod prediction;
mod signer;
mod verification;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::described::described;
pub(crate) use self::maker::Maker;
pub(crate) use self::places::Places;
pub use self::plan::DescribedProfile;
pub use self::verification::{ManifestCarrier, VerifiedGeneration};
use crate::boot_signatures::DetachedSignatures;
use crate::bootspec::DescribedGeneration;
use crate::firmware::Measure;
use crate::machine::ShimFiles;
use crate::manifest::ManifestSummary;
use crate::policy::PcrSign;
use crate::predict::TakenDeviceTree;
use crate::seal::{self, Sealing};
use crate::signing_key::SigningKey;
use crate::source::Text;
use crate::uki::{AssembledUki, ExtraSection, Ukify};
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
    /// shim, where it stands in front of the boot loader: copied as it is, and part of the prediction.
    pub shim: Option<ShimFiles>,
    /// The os-release text.
    pub os_release: Option<Text>,
    /// SBAT entries of the UKIs.
    #[serde(default)]
    pub sbat: Vec<Text>,
    /// A boot splash (BMP).
    pub splash: Option<PathBuf>,
    /// A microcode archive.
    pub ucode: Option<PathBuf>,
    /// Device trees of which the stub chooses the machine's, in each UKI.
    #[serde(default)]
    pub dtbauto: Vec<PathBuf>,
    /// A folder of JSON files, each of which describes a device by its hardware IDs.
    pub hwids: Option<PathBuf>,
    /// Which of the sections `.dtbauto` the machine takes; a prediction of PCR 11 needs it where there are some.
    pub device_tree: Option<TakenDeviceTree>,
    /// Additional sections of each UKI.
    #[serde(default)]
    pub sections: Vec<ExtraSection>,
    /// More profiles of each UKI, behind its own, which is called `main`.
    #[serde(default)]
    pub profiles: Vec<DescribedProfile>,
    /// Whether specialisations that differ from the generation in their command line alone become profiles of its UKI.
    #[serde(default)]
    pub share_specialisations: bool,
    /// The ukify release whose byte rules are followed.
    #[serde(default)]
    pub compat: Ukify,
    /// Who signs the UKIs and the loader; unsigned without it.
    pub sign: Option<SigningKey>,
    /// The signatures of the UKIs and the loader, made elsewhere; in the place of `sign`.
    pub detached: Option<DetachedSignatures>,
    /// The public key for signatures of PCR 11 (`.pcrpkey`), where these are made elsewhere and are not there yet.
    pub pcrpkey: Option<PathBuf>,
    /// Who signs the UKIs' values of PCR 11 (`.pcrsig`); nobody without it.
    pub pcr_sign: Option<PcrSign>,
    /// What is predicted; nothing without it. Without `loader`, the firmware starts the UKI itself.
    pub measure: Option<Measure>,
    /// The list that Nix' `exportReferencesGraph` gives for the toplevel; no manifest without it.
    pub closure: Option<Value>,
    /// The file of a Nix secret key that signs the manifest, or `agent:…`; unsigned without it.
    pub manifest_key: Option<PathBuf>,
    /// Makes the output a sealed generation: a wrapper of the toplevel that holds the artifacts (docs/sealed.md).
    pub seal: Option<Sealing>,
    /// The manifest, where it was signed elsewhere: published in the place of the one that is made, whose closure it has to list.
    pub manifest: Option<PathBuf>,
    /// Adds the initrd by which stage 1 verifies the system to each UKI (docs/boot-artifacts.md).
    pub verify: Option<VerifiedGeneration>,
    /// The folder to make.
    pub output: PathBuf,
}

/// The answer of `boot.artifacts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeBootArtifacts {
    /// The generation's UKI.
    pub uki: AssembledUki,
    /// The IDs of its profiles, where it is divided into some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// The specialisations that are profiles of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// The UKIs of specialisations that have one for themselves.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub specialisations: BTreeMap<String, AssembledUki>,
    /// The boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<AssembledUki>,
    /// shim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shim: Option<AssembledUki>,
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
        if let Some(sealing) = &self.seal {
            return seal::run(self, sealing, context);
        }
        let maker = Maker::open(self, context)?;
        output::folder(context.files, &self.output, |folder| {
            maker.make(&Places::beside(folder))
        })
    }
}
