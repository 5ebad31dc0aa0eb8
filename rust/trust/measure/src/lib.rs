//! What a TPM will hold: exact predictions of PCR values, and the event logs that explain those that are there.
//!
//! The pieces, from small to large: a [`Measurement`] extends one register, with its reason; [`replay`] makes values
//! of them; [`UkiMeasurer`] takes from one pass over a UKI all that later registers need; a [`BootPath`] is one way in
//! which a machine boots, a [`BootTree`] all of them; [`predict`] turns them into a [`Prediction`], or refuses ([`PredictError`]) where a value
//! would be a guess. [`eventlog`] reads the log of a machine that did boot.
//!
//! Nothing here talks to a TPM. What is known about each register, and how it was verified, is in
//! `docs/measured-boot.md`.
#![forbid(unsafe_code)]

mod addon;
mod bank;
mod boot_path;
mod content;
mod cpio;
pub mod eventlog;
mod hash;
mod initrd;
mod measured;
mod measurement;
pub mod pcrlock;
mod phase;
pub mod policy;
mod predict;
mod profiles;
pub mod reference;
mod uki;
mod utf16;
mod version;
mod window;

pub use bank::{Bank, Digest, DigestError, UnknownBank};
pub use boot_path::{
    Addon, Authority, AuthorityError, BootPath, BootPathError, BootTree, Branch, Companion,
    Companions, Content, DeviceTree, FileSystem, FirmwareLog, FirmwareLogError, Identity, Linux,
    Loader, MachineId, Medium, MediumError, NoMachineId, Partition, PartitionTable, Presented,
    Program, Registers, Shim, ShimError, ShimVariables, Smbios, StartedImage, TableError, Uki,
    Variables, Vouching, authenticode_digests, measure_uki,
};
pub use hash::Digests;
pub use measured::MeasuredUki;
pub use measurement::{EventKind, Measurement, replay};
pub use phase::{PhaseError, PhasePath};
pub use predict::{Ask, Leaf, PredictError, Prediction, predict, predict_tree};
pub use profiles::{
    Contribution, ProfileMeasurement, SectionDigests, measure_profiles, profile_sections,
};
pub use uki::{MeasuredSection, UkiError, UkiMeasurer};
pub use utf16::CommandLineError;
pub use version::{Component, Release, Version, VersionError};
