//! What can go wrong around variables.

use std::io;
use std::path::PathBuf;

/// Why a variable cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum VariableError {
    /// It cannot be read.
    #[error("cannot read the firmware's variable {}: {source}\n  help: run this as root, with efivarfs mounted", file.display())]
    Read {
        /// Its file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Its file is shorter than the attributes that begin it.
    #[error("the firmware's variable {} has {bytes} bytes, and its attributes alone are 4\n  help: remove it in the firmware's setup", file.display())]
    Short {
        /// Its file.
        file: PathBuf,
        /// Its size.
        bytes: usize,
    },
    /// It is larger than any that there is a use for.
    #[error("the firmware's variable {} has more than {limit} bytes, which no variable has\n  help: look at what made it", file.display())]
    Large {
        /// Its file.
        file: PathBuf,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is not the text that it should be.
    #[error("the firmware's variable {} is no text of UTF-16; whoever wrote it did not mean it for a boot loader\n  help: remove it", file.display())]
    Text {
        /// Its file.
        file: PathBuf,
    },
    /// It holds something else than it should.
    #[error("the firmware's variable {} {fact}", file.display())]
    Content {
        /// Its file.
        file: PathBuf,
        /// What is wrong, and the way out.
        fact: String,
    },
    /// It cannot be written or removed.
    #[error("cannot change the firmware's variable {}: {source}\n  help: the firmware may have no room left, or not allow it: look at its setup", file.display())]
    Write {
        /// Its file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is there with other attributes, which cannot be changed.
    #[error("the firmware's variable {} has the attributes {found:#x}, and {wanted:#x} are needed\n  help: remove it first", file.display())]
    Attributes {
        /// Its file.
        file: PathBuf,
        /// What it has.
        found: u32,
        /// What it should have.
        wanted: u32,
    },
    /// Every number of a boot entry is taken.
    #[error(
        "all 65536 numbers of boot entries are taken\n  help: remove some in the firmware's setup"
    )]
    NoFreeNumber,
}

/// Why the firmware cannot be told on which partition the boot loader lies.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// A file about the device cannot be read.
    #[error("cannot read {}, to find the partition of {}: {source}\n  help: set boot.loader.efi.canTouchEfiVariables = false if the firmware is to find the boot loader by itself", file.display(), mount.display())]
    Read {
        /// The mount point.
        mount: PathBuf,
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file about the device says something that cannot be.
    #[error("{} says {text:?}, which is no number\n  help: set boot.loader.efi.canTouchEfiVariables = false if the firmware is to find the boot loader by itself", file.display())]
    Number {
        /// The file.
        file: PathBuf,
        /// What it says.
        text: String,
    },
    /// The file system does not lie on a partition of its own.
    #[error("{} does not lie on a partition of a disk ({device}), so no boot entry of the firmware can name it\n  help: set boot.loader.efi.canTouchEfiVariables = false: the firmware finds EFI/BOOT by itself", mount.display())]
    NotAPartition {
        /// The mount point.
        mount: PathBuf,
        /// What it lies on.
        device: String,
    },
    /// The disk has no GUID partition table, or one that contradicts the kernel.
    #[error("{}: {fact}\n  help: a boot entry of the firmware needs a GUID partition table: repair it (sgdisk --verify), or set boot.loader.efi.canTouchEfiVariables = false", disk.display())]
    Table {
        /// The disk.
        disk: PathBuf,
        /// What is wrong with the table.
        fact: String,
    },
}
