//! All ways in which a machine may boot.

use super::{
    BootPath, Companions, FirmwareLog, Identity, Loader, Medium, Program, Shim, Smbios, Variables,
};

/// One of several alternatives, with its name.
#[derive(Clone, Debug)]
pub struct Branch<T> {
    /// What the leaf's path says of this choice; nothing where there is no choice.
    pub name: Option<String>,
    /// The alternative.
    pub value: T,
}

impl<T> Branch<T> {
    /// The only alternative.
    pub fn only(value: T) -> Branch<T> {
        Branch { name: None, value }
    }

    /// One of several alternatives.
    pub fn named(name: impl Into<String>, value: T) -> Branch<T> {
        Branch {
            name: Some(name.into()),
            value,
        }
    }
}

/// A machine: what is fixed, and what may be chosen on the way.
#[derive(Clone, Debug)]
pub struct BootTree {
    /// The firmware's Secure Boot settings: those of now, and those after each pending update.
    pub variables: Vec<Branch<Variables>>,
    /// What the firmware boots from.
    pub medium: Option<Medium>,
    /// What the firmware measures before it starts anything, by a log of this machine; by rule when there is none.
    pub firmware: Option<FirmwareLog>,
    /// How often the firmware refuses to end the boot services before it does (seen with OVMF 2026.08: once), where no log tells.
    pub failed_exits: u32,
    /// What systemd measures of the machine at run time; needed for PCR 15.
    pub identity: Option<Identity>,
    /// shim, where the firmware starts it first.
    pub shim: Option<Shim>,
    /// The boot loader.
    pub loader: Option<Loader>,
    /// The entries of the boot menu.
    pub entries: Vec<Branch<Program>>,
    /// The files below `loader/` on the ESP.
    pub shared: Companions,
    /// What the host adds to the command line.
    pub smbios: Smbios,
    /// See [`BootPath::no_boot_secret`].
    pub no_boot_secret: bool,
}

impl BootTree {
    /// Every way through the tree, in the order of the alternatives.
    pub fn paths(&self) -> impl Iterator<Item = BootPath> {
        self.variables.iter().flat_map(|variables| {
            self.entries.iter().map(|entry| BootPath {
                path: [&variables.name, &entry.name]
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect(),
                variables: variables.value.clone(),
                medium: self.medium.clone(),
                firmware: self.firmware.clone(),
                failed_exits: self.failed_exits,
                identity: self.identity.clone(),
                shim: self.shim.clone(),
                loader: self.loader.clone(),
                program: entry.value.clone(),
                shared: self.shared.clone(),
                smbios: self.smbios.clone(),
                no_boot_secret: self.no_boot_secret,
            })
        })
    }
}
