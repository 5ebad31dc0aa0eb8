//! The firmware's variables, as the kernel shows them in efivarfs.
//!
//! - [`Variables`]: reading, writing and removing one, bounded.
//! - [`loader`]: what systemd-boot says of this boot, and what it was told.
//! - [`secure_boot`]: whether signatures are enforced, and by which lists.
//! - [`boot_entry`]: the firmware's own menu, `Boot####` and `BootOrder`.
//!
//! Sources: Linux, Documentation/filesystems/efivarfs.rst; UEFI specification 2.10, sections 3 and 8.2; systemd, Boot Loader Interface.

pub mod boot_entry;
pub(crate) mod command;
mod error;
mod file;
mod gpt;
mod load_option;
pub mod loader;
mod partition;
pub mod secure_boot;
mod text;

use std::path::{Path, PathBuf};

pub use error::{PartitionError, VariableError};
pub use gpt::GptError;
pub use load_option::{HardDrive, LoadOption};
pub use partition::Partition;

/// Kept when the machine is off.
pub const NON_VOLATILE: u32 = 1;
/// Seen before the operating system runs.
pub const BOOT_SERVICES: u32 = 2;
/// Seen by the operating system.
pub const RUNTIME: u32 = 4;
/// What the operating system leaves for the next boot.
pub const KEPT: u32 = NON_VOLATILE | BOOT_SERVICES | RUNTIME;

/// Whose namespace a variable is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// `EFI_GLOBAL_VARIABLE`: the specification's own.
    Global,
    /// `EFI_IMAGE_SECURITY_DATABASE_GUID`: `db` and `dbx`.
    ImageSecurity,
    /// The Boot Loader Interface of systemd.
    Loader,
    /// shim.
    Shim,
}

impl Vendor {
    /// The GUID as efivarfs writes it.
    pub fn guid(self) -> &'static str {
        match self {
            Self::Global => "8be4df61-93ca-11d2-aa0d-00e098032b8c",
            Self::ImageSecurity => "d719b2cb-3d3a-4596-a3bc-dad00e67656f",
            Self::Loader => "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f",
            Self::Shim => "605dab50-e046-4300-abb6-3dd810dd8b23",
        }
    }
}

/// What a variable holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Who sees it, and whether it is kept: [`NON_VOLATILE`], [`BOOT_SERVICES`], [`RUNTIME`] and others of the specification.
    pub attributes: u32,
    /// The bytes.
    pub value: Vec<u8>,
}

/// The variables of one machine.
#[derive(Clone, Debug)]
pub struct Variables {
    folder: PathBuf,
}

impl Variables {
    /// Those in this folder, which is `/sys/firmware/efi/efivars` on a machine. A folder that is not there is a machine without variables.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Whether the machine has variables at all: it was started by UEFI, and efivarfs is mounted.
    pub fn exist(&self) -> bool {
        std::fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.next().is_some())
    }

    /// The file in which a variable is seen.
    pub fn path(&self, vendor: Vendor, name: &str) -> PathBuf {
        self.folder.join(format!("{name}-{}", vendor.guid()))
    }

    /// A variable; none when the machine has no such.
    ///
    /// # Errors
    /// [`VariableError::Read`], [`VariableError::Short`], [`VariableError::Large`].
    pub fn read(&self, vendor: Vendor, name: &str) -> Result<Option<Variable>, VariableError> {
        file::read(&self.path(vendor, name))
    }

    /// A variable that holds text: UTF-16, up to the NUL at its end.
    ///
    /// # Errors
    /// Those of [`Variables::read`], and [`VariableError::Text`].
    pub fn text(&self, vendor: Vendor, name: &str) -> Result<Option<String>, VariableError> {
        let path = self.path(vendor, name);
        let Some(variable) = file::read(&path)? else {
            return Ok(None);
        };
        match text::read(&variable.value) {
            Some(text) => Ok(Some(text)),
            None => Err(VariableError::Text { file: path }),
        }
    }

    /// Gives a variable this value. Nothing is written when it is what is there already: firmware wears out, and some of it has bugs.
    /// The answer says whether it was written.
    ///
    /// # Errors
    /// Those of [`Variables::read`], [`VariableError::Write`], [`VariableError::Attributes`].
    pub fn write(
        &self,
        vendor: Vendor,
        name: &str,
        variable: &Variable,
    ) -> Result<bool, VariableError> {
        file::write(&self.path(vendor, name), variable)
    }

    /// Removes a variable. The answer says whether there was one.
    ///
    /// # Errors
    /// [`VariableError::Write`].
    pub fn remove(&self, vendor: Vendor, name: &str) -> Result<bool, VariableError> {
        file::remove(&self.path(vendor, name))
    }

    /// The folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

#[cfg(test)]
mod tests;
