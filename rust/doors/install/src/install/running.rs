//! What the machine runs now: nothing of that is ever taken away.

use std::path::PathBuf;

use touchstone_esp::{EntryName, EspPath};

use super::present::is_same;
use crate::Host;
use crate::variables::{VariableError, Variables};

/// What the machine runs, as far as it runs at all.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// The toplevel that was booted.
    pub booted: Option<PathBuf>,
    /// The entry that is being tried, as its file is called now.
    pub counted: Option<EspPath>,
    /// The id of the entry that was started.
    pub selected: Option<String>,
    /// The entry that an EFI variable makes the default, whatever `loader.conf` says.
    pub default_variable: Option<String>,
    /// The entry that an EFI variable prefers, whatever `loader.conf` says.
    pub preferred_variable: Option<String>,
}

impl Running {
    /// Asks the machine.
    ///
    /// # Errors
    /// [`VariableError`]: which entry is being tried must be known where there are variables.
    pub fn of(host: &Host) -> Result<Self, VariableError> {
        let variables = Variables::at(host.at(host.efi_variables()));
        Ok(Self {
            booted: host.canonical(host.booted_system()).ok(),
            counted: variables.boot_count_path()?,
            selected: variables.entry_selected()?,
            default_variable: variables.entry_default()?,
            preferred_variable: variables.entry_preferred()?,
        })
    }

    /// The names of our entries that are being tried or were started.
    pub fn entries(&self) -> impl Iterator<Item = EntryName> + '_ {
        let counted = self.counted.iter().map(|path| path.name());
        let selected = self.selected.iter().map(|id| without_profile(id));
        counted.chain(selected).filter_map(|name| name.parse().ok())
    }

    /// Whether this is the name of the entry that is being tried or was started.
    pub fn names(&self, name: &EntryName) -> bool {
        self.entries().any(|entry| is_same(&entry, name))
    }
}

/// The id of the file: systemd-boot puts `@` and the profile of an image behind it.
fn without_profile(id: &str) -> &str {
    id.split_once('@').map_or(id, |(file, _)| file)
}
