//! The ways in which a machine may boot: what the firmware starts, under which settings.
//!
//! A [`BootPath`] is one way, a [`BootTree`] all of them.

mod companions;
mod firmware_log;
mod identity;
mod image;
mod linux;
mod loader;
mod medium;
mod partition_table;
mod shim;
mod smbios;
mod tree;
mod uki;
mod variables;
mod vouching;

use std::io;

use touchstone_pe::ReadError;

pub use companions::{Addon, Companion, Companions, Content};
pub use firmware_log::{FirmwareLog, FirmwareLogError, Registers};
pub use identity::{FileSystem, Identity, MachineId, NoMachineId, Partition};
pub use image::{StartedImage, authenticode_digests};
pub use linux::Linux;
pub use loader::Loader;
pub use medium::{Medium, MediumError};
pub use partition_table::{PartitionTable, TableError};
pub use shim::{Shim, ShimError, ShimVariables};
pub use smbios::Smbios;
pub use tree::{BootTree, Branch};
pub use uki::{DeviceTree, Uki, measure_uki};
pub use variables::{Authority, AuthorityError, Variables};
pub use vouching::{Presented, Vouching};

use crate::uki::UkiError;
use crate::version::VersionError;

/// One way in which a machine may boot: firmware, shim?, boot loader?, a program.
#[derive(Clone, Debug)]
pub struct BootPath {
    /// What was chosen to come here, in words: the first elements of each leaf's path.
    pub path: Vec<String>,
    /// The firmware's Secure Boot settings.
    pub variables: Variables,
    /// What the firmware boots from; needed for PCR 5.
    pub medium: Option<Medium>,
    /// What the firmware measures before it starts anything, by a log of this machine; by rule when there is none.
    pub firmware: Option<FirmwareLog>,
    /// How often the firmware refuses to end the boot services before it does (seen with OVMF 2026.08: once), where no log tells.
    pub failed_exits: u32,
    /// What systemd measures of the machine at run time; needed for PCR 15.
    pub identity: Option<Identity>,
    /// shim, where the firmware starts it first.
    pub shim: Option<Shim>,
    /// The boot loader; none where firmware or shim start the program themselves.
    pub loader: Option<Loader>,
    /// What is started at last.
    pub program: Program,
    /// The files below `loader/` on the ESP that every UKI is given.
    pub shared: Companions,
    /// What the host adds to the command line.
    pub smbios: Smbios,
    /// Says that the ESP has a file `loader/boot-secret-mixin` of 1 to 31 bytes.
    ///
    /// Where the firmware has random numbers, stub 262 hands the initrd a secret of its own making, with a boot loader
    /// and without one, so that PCR 9 is another on every machine; without this promise it is refused for that stub. The
    /// stub neither uses nor replaces a file of that length, and then makes no secret (seen on real boots). systemd
    /// offers the secret to machines without a TPM.
    pub no_boot_secret: bool,
}

/// What is started at last: it brings up Linux.
#[derive(Clone, Debug)]
pub enum Program {
    /// A unified kernel image.
    Uki(Box<Uki>),
    /// A kernel by itself, with initrds from the ESP: a Type #1 entry of the Boot Loader Specification.
    Linux(Box<Linux>),
}

impl Program {
    /// Its PE image.
    pub fn image(&self) -> &StartedImage {
        match self {
            Program::Uki(uki) => &uki.image,
            Program::Linux(linux) => &linux.image,
        }
    }

    /// The UKI, when it is one.
    pub fn uki(&self) -> Option<&Uki> {
        match self {
            Program::Uki(uki) => Some(uki),
            Program::Linux(_) => None,
        }
    }
}

impl BootPath {
    /// The images in the order in which they are started: shim, boot loader, program.
    pub fn images(&self) -> impl Iterator<Item = &StartedImage> {
        let before = [
            self.shim.as_ref().map(|shim| &shim.image),
            self.loader.as_ref().map(|loader| &loader.image),
        ];
        before.into_iter().flatten().chain([self.program.image()])
    }
}

/// Why a boot path cannot be read from files.
#[derive(Debug, thiserror::Error)]
pub enum BootPathError {
    /// The file is no PE image, or ends too early.
    #[error(transparent)]
    Image(#[from] ReadError),
    /// The version of loader or stub is missing or unknown.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The file is no shim whose measurements are known.
    #[error(transparent)]
    Shim(#[from] ShimError),
    /// The UKI cannot be measured.
    #[error(transparent)]
    Uki(#[from] UkiError),
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}
