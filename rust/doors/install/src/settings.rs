//! `touchstone/install.json` of a toplevel: what is installed where (docs/install.json.md).

mod read;
mod verify;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use touchstone_artifacts::generation::DescribedProfile;
use touchstone_artifacts::policy::PcrSign;
use touchstone_artifacts::uki::ExtraSection;
use touchstone_esp::EspPath;

pub use read::SettingsError;
pub use verify::{Carrier, Verify, is_agents};

use crate::Host;

/// Where a toplevel has the document.
pub const DOCUMENT: &str = "touchstone/install.json";

/// The document. Closed: a key that is unknown, missing or comes twice is an error; what is not wanted is null.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The version of the document's format: 1.
    pub version: u32,
    /// The partitions, all of which get the same.
    pub volumes: Vec<Volume>,
    /// systemd-boot; null leaves the boot loader alone.
    #[serde(deserialize_with = "Option::deserialize")]
    pub loader: Option<Loader>,
    /// Keys of `loader.conf` but `default` and `preferred`.
    pub loader_conf: BTreeMap<String, String>,
    /// The `sort-key` of entries of Type #1.
    pub sort_key: String,
    /// How many bootable generations of a profile are kept; all of them when null.
    #[serde(deserialize_with = "Option::deserialize")]
    pub configuration_limit: Option<NonZeroU32>,
    /// Whether attempts to boot are counted.
    #[serde(deserialize_with = "Option::deserialize")]
    pub boot_counting: Option<BootCounting>,
    /// What becomes of generations that are not sealed.
    pub images: Images,
    /// systemd's stub, of which UKIs are made.
    #[serde(deserialize_with = "Option::deserialize")]
    pub stub: Option<PathBuf>,
    /// A boot splash (BMP) of UKIs.
    #[serde(deserialize_with = "Option::deserialize")]
    pub splash: Option<PathBuf>,
    /// More profiles of UKIs that are assembled on this machine.
    pub profiles: Vec<DescribedProfile>,
    /// More sections of these.
    pub sections: Vec<ExtraSection>,
    /// Who signs their values of PCR 11.
    #[serde(deserialize_with = "Option::deserialize")]
    pub pcr_sign: Option<PcrSign>,
    /// Who signs what is not sealed.
    #[serde(deserialize_with = "Option::deserialize")]
    pub signing: Option<Signing>,
    /// More files on the partitions: where they lie there, and their content.
    #[serde(deserialize_with = "read::extra_files")]
    pub extra_files: BTreeMap<EspPath, PathBuf>,
    /// More entries of Type #1: file name in `loader/entries`, and text.
    pub extra_entries: BTreeMap<String, String>,
    /// Whether the firmware is told of the boot loader.
    pub touch_efi_variables: bool,
    /// Keys of Nix, `name:base64`, of which closures must be signed to be activated by this system.
    pub trusted_public_keys: Vec<String>,
    /// By how many of them.
    pub sigs_needed: u32,
    /// What stage 1 verifies the system by. Generations of before it was thought of do not say: they are not verified.
    #[serde(default)]
    pub verify: Option<Verify>,
    /// The TPM policy that admits the kept generations.
    #[serde(deserialize_with = "Option::deserialize")]
    pub policy: Option<PolicySettings>,
    /// The file with what earlier runs found on the partitions.
    pub state: PathBuf,
    /// What entries of Type #1 and UKIs are called: `NixOS`.
    pub distro: String,
}

/// An EFI system partition, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Volume {
    /// Where the EFI system partition is mounted.
    pub esp: PathBuf,
    /// Where the extended boot loader partition of the same disk is mounted: entries and kernels lie there then.
    #[serde(deserialize_with = "Option::deserialize")]
    pub xbootldr: Option<PathBuf>,
}

/// systemd-boot.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Loader {
    /// The program.
    pub image: PathBuf,
}

/// Boot counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BootCounting {
    /// How often a new generation is tried.
    pub tries: NonZeroU32,
}

/// What becomes of generations that are not sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Images {
    /// A unified kernel image, assembled on this machine (Type #2).
    Uki,
    /// Kernel and initrds, named by a text (Type #1).
    Kernel,
    /// Nothing: they are refused, because their images would be unsigned.
    Sealed,
}

/// Who signs on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Signing {
    /// The private key: a file outside of the store, or a URI.
    pub key: String,
    /// Its certificate.
    pub certificate: PathBuf,
    /// The file whose first line is the passphrase of an encrypted key.
    #[serde(deserialize_with = "Option::deserialize")]
    pub pin_source: Option<PathBuf>,
}

/// The TPM policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicySettings {
    /// Where it is written: an absolute path is one of this machine; a relative one is on each partition.
    pub output: PathBuf,
    /// The registers that it binds to.
    pub pcrs: Vec<u32>,
    /// The bank of these registers.
    pub bank: String,
}

impl Settings {
    /// The settings of the system that runs; of the one that its profile leads to, where none runs.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn of_running(host: &Host) -> Result<Self, SettingsError> {
        let running = host.current_system();
        match host
            .resolve(running.join(DOCUMENT))
            .is_ok_and(|place| place.exists())
        {
            true => Self::of(host, &running),
            false => Self::of(host, &host.system_profile()),
        }
    }

    /// The settings of a toplevel.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn of(host: &Host, toplevel: &Path) -> Result<Self, SettingsError> {
        read::settings(host, &toplevel.join(DOCUMENT))
    }
}
