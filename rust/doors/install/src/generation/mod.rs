//! What a generation says of itself: how it, and each of its specialisations, is booted.

mod read;
pub mod secrets;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use touchstone_artifacts::generation::DescribedProfile;
use touchstone_artifacts::policy::PcrSign;
use touchstone_artifacts::uki::ExtraSection;

pub use read::{Malformed, read};

use crate::settings::{Images, Settings, Verify};

/// A generation, read from its toplevel. It depends on nothing else, so that it can be remembered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Generation {
    /// The system that it is for, such as `x86_64-linux`.
    pub system: String,
    /// What is booted: the generation itself, then its specialisations by name.
    pub boots: Vec<Boot>,
    /// The signed boot loader of a sealed generation.
    pub loader: Option<StoredFile>,
    /// shim in front of it.
    pub shim: Option<StoredFile>,
}

/// A generation itself, or a specialisation of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Boot {
    /// Which specialisation it is; none for the generation itself.
    pub specialisation: Option<String>,
    /// What a person reads in the menu.
    pub label: String,
    /// The toplevel that it boots: `/run/booted-system` then. Of a sealed generation it is the inner one.
    pub toplevel: PathBuf,
    /// What its initrd verifies it by, where it does.
    pub verify: Option<Verify>,
    /// How it is booted.
    pub form: Form,
}

/// How something is booted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Form {
    /// By an image that its generation holds.
    Sealed {
        /// The signed UKI.
        image: StoredFile,
        /// The PCR values that it will give.
        prediction: Option<StoredFile>,
    },
    /// By a profile of its generation's image, for which the boot loader makes an entry by itself.
    Shared {
        /// What the profile is called.
        profile: String,
        /// The PCR values that it will give.
        prediction: Option<StoredFile>,
    },
    /// By kernel and initrds.
    Parts(Box<Parts>),
}

/// What is booted of a generation that is not sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parts {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initrds, in their order.
    pub initrds: Vec<PathBuf>,
    /// The kernel's command line, `init=` included.
    pub command_line: String,
    /// The device tree.
    pub devicetree: Option<PathBuf>,
    /// The `sort-key` that its configuration asked for.
    pub sort_key: Option<String>,
    /// What is not in the initrds and belongs there.
    pub secrets: Secrets,
    /// How its configuration wants its image to be made; none where it does not say.
    pub recipe: Option<Recipe>,
}

/// How an image is made of kernel and initrds, as `install.json` says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recipe {
    /// systemd's stub.
    pub stub: PathBuf,
    /// A boot splash (BMP).
    pub splash: Option<PathBuf>,
    /// More profiles.
    pub profiles: Vec<DescribedProfile>,
    /// More sections.
    pub sections: Vec<ExtraSection>,
    /// Who signs its values of PCR 11.
    pub pcr_sign: Option<PcrSign>,
}

/// Files of the machine that stage 1 needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Secrets {
    /// None.
    None,
    /// These, by name: `org.nixos.initrd-secrets.v1`.
    Files(BTreeMap<String, String>),
    /// Whatever this program appends to the initrd. It is never started.
    Program(PathBuf),
}

/// A file in the store whose content is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredFile {
    /// Where it lies, as the machine reads it.
    pub path: PathBuf,
    /// SHA-256 of it, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Recipe {
    /// What these settings say; none where they make no images.
    pub fn of(settings: &Settings) -> Option<Self> {
        let stub = settings.stub.clone();
        let stub = stub.filter(|_| settings.images == Images::Uki)?;
        Some(Self {
            stub,
            splash: settings.splash.clone(),
            profiles: settings.profiles.clone(),
            sections: settings.sections.clone(),
            pcr_sign: settings.pcr_sign.clone(),
        })
    }
}

impl Boot {
    /// Where a sealed generation holds its manifest, if it has one.
    pub fn built_manifest(&self) -> Option<PathBuf> {
        match &self.form {
            Form::Sealed { image, .. } => Some(image.path.with_file_name("manifest.json")),
            _ => None,
        }
    }

    /// The file with its predicted PCR values.
    pub fn prediction(&self) -> Option<&StoredFile> {
        match &self.form {
            Form::Sealed { prediction, .. } | Form::Shared { prediction, .. } => {
                prediction.as_ref()
            }
            Form::Parts(_) => None,
        }
    }
}

impl StoredFile {
    /// The digest as bytes; none where the hex is not what it was when it was written.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let bytes = data_encoding::HEXLOWER
            .decode(self.sha256.as_bytes())
            .ok()?;
        bytes.try_into().ok()
    }
}
