//! The answer, for people ([`super::table`]) and programs.

use std::path::PathBuf;

use serde::Serialize;
use touchstone_measure::Leaf;

/// What is on the partitions, and what the machine will make of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What the firmware and the boot loader say.
    pub machine: Machine,
    /// The partitions.
    pub volumes: Vec<VolumeStatus>,
    /// What should boot and will not, in sentences; the exit status is 3 when there is any.
    pub problems: Vec<String>,
    /// What else people should know.
    pub notes: Vec<String>,
}

/// What the firmware and the boot loader say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Whether the firmware asks for signatures.
    pub secure_boot: SecureBootState,
    /// The boot loader that ran, as `systemd-boot 257.13`.
    pub loader: Option<String>,
    /// The id of the entry that was started.
    pub booted: Option<String>,
    /// The entry whose boot is being counted.
    pub counted: Option<String>,
    /// What the firmware remembers as the default, whatever `loader.conf` says.
    pub entry_default: Option<String>,
    /// What it remembers as preferred, which systemd-boot from 260 on starts before that while it is not bad.
    pub entry_preferred: Option<String>,
}

/// Whether the firmware asks for signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecureBootState {
    /// It does.
    Enforced,
    /// It does not.
    Off,
    /// It does not: there is no platform key, and anybody may enrol one.
    Setup,
    /// There are no variables to ask.
    Unknown,
}

/// An EFI system partition, and the extended boot loader partition beside it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeStatus {
    /// Where the EFI system partition is mounted.
    pub esp: PathBuf,
    /// Where the extended boot loader partition is.
    pub xbootldr: Option<PathBuf>,
    /// The copies of the boot loader.
    pub loaders: Vec<LoaderStatus>,
    /// Entries in the order of the menu.
    pub entries: Vec<EntryStatus>,
}

/// A copy of the boot loader.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoaderStatus {
    /// Its file.
    pub path: String,
    /// Its version; none when it is not systemd-boot.
    pub version: Option<String>,
    /// What the firmware makes of it.
    #[serde(flatten)]
    pub judged: Judged,
}

/// What the firmware makes of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judged {
    /// Whether it starts.
    pub boots: bool,
    /// Why, or why not, in sentences.
    pub why: Vec<String>,
    /// Whose signatures it has: subjects of certificates, trusted or not.
    pub signed_by: Vec<String>,
}

/// A boot entry.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryStatus {
    /// By what boot loader and `bootctl` know it: its file's name without the counter.
    pub id: String,
    /// Its file, on its partition.
    pub path: String,
    /// Which generation it is; none of an entry that this program did not write.
    pub generation: Option<Which>,
    /// What the boot loader thinks of it.
    pub assessment: Assessed,
    /// Attempts that are left, where they are counted.
    pub left: Option<u32>,
    /// Attempts that were made.
    pub done: Option<u32>,
    /// What the firmware makes of its program, and whether its files are whole.
    #[serde(flatten)]
    pub judged: Judged,
    /// The PCR values that it will give, where they were predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Predicted>,
    /// Whether the machine runs it.
    pub booted: bool,
    /// Whether it is what the system's profile leads to.
    pub default: bool,
    /// Whether systemd-boot starts it next, when nobody touches the keyboard. Several are where that cannot be told.
    pub next: bool,
}

/// A generation, or a specialisation of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Which {
    /// The profile; none for the system's own.
    pub profile: Option<String>,
    /// The number in it.
    pub number: u64,
    /// The specialisation.
    pub specialisation: Option<String>,
    /// Its toplevel; none when the profile has no such generation any more.
    pub toplevel: Option<PathBuf>,
}

/// What the boot loader thinks of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assessed {
    /// It has no counter.
    Good,
    /// It is being tried.
    Indeterminate,
    /// It has no attempt left.
    Bad,
}

/// Predicted PCR values.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Predicted {
    /// The document.
    pub file: PathBuf,
    /// Each way in which the boot may go.
    pub leaves: Vec<PredictedLeaf>,
}

/// The values of one way.
#[derive(Clone, Debug, Serialize)]
pub struct PredictedLeaf {
    /// The choices that lead there.
    pub path: Vec<String>,
    /// The registers' values, by number and bank.
    pub pcrs: std::collections::BTreeMap<
        u32,
        std::collections::BTreeMap<touchstone_measure::Bank, touchstone_measure::Digest>,
    >,
}

impl From<Leaf> for PredictedLeaf {
    fn from(leaf: Leaf) -> Self {
        Self {
            path: leaf.path,
            pcrs: leaf.pcrs,
        }
    }
}
