//! Transactions that are broken on purpose, at the one place where it matters.

use touchstone_esp::EspPath;

/// What is done wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Saboteur {
    /// None.
    #[default]
    None,
    /// No sync before the first file is published: names are published that point to content which is not on the disk.
    Staging(Seen),
    /// No sync between publishing and collecting: what was there goes before what replaces it is on the disk.
    Publishing(Seen),
    /// No sync between policies, what entries name, and entries.
    Phases(Seen),
    /// Files are removed as Linux does it by itself: the clusters may be free before the name is gone.
    Unlinking,
    /// Both copies of the boot loader are removed and written anew, as installers do that know no exchange, without a sync between them.
    Loader(Seen),
}

/// How far the transaction is, as the saboteur sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// What makes it forget has not happened yet.
    #[default]
    Nothing,
    /// It is at the place where it forgets.
    Begun,
    /// It is past it.
    Over,
}

impl Saboteur {
    pub fn forgets_sync(&self) -> bool {
        match self {
            Self::None | Self::Unlinking => false,
            Self::Staging(seen) => *seen == Seen::Nothing,
            Self::Publishing(seen) | Self::Phases(seen) | Self::Loader(seen) => {
                *seen == Seen::Begun
            }
        }
    }

    pub fn saw_rename(&mut self, to: &EspPath) {
        if to.name().starts_with("nixos-stage-") {
            return;
        }
        match self {
            Self::Staging(seen) => *seen = Seen::Over,
            Self::Publishing(seen) if *seen == Seen::Nothing => *seen = Seen::Begun,
            Self::Phases(seen) if is_entry(to) => *seen = Seen::Over,
            Self::Phases(seen) if *seen == Seen::Nothing => *seen = Seen::Begun,
            _ => {}
        }
    }

    pub fn saw_exchange(&mut self, path: &EspPath) {
        let is_loader = is_loader(path);
        match self {
            Self::Staging(seen) => *seen = Seen::Over,
            Self::Publishing(seen) | Self::Phases(seen) if *seen == Seen::Nothing => {
                *seen = Seen::Begun;
            }
            Self::Loader(seen) if is_loader && *seen == Seen::Nothing => *seen = Seen::Begun,
            Self::Loader(seen) if is_loader && *seen == Seen::Begun => *seen = Seen::Over,
            _ => {}
        }
    }

    /// Whether this name is not exchanged, but removed and given to the other file.
    pub fn renames_over(&self, path: &EspPath) -> bool {
        matches!(self, Self::Loader(_)) && is_loader(path)
    }

    pub fn saw_remove(&mut self) {
        if let Self::Publishing(seen) = self
            && *seen == Seen::Begun
        {
            *seen = Seen::Over;
        }
    }
}

fn is_entry(path: &EspPath) -> bool {
    ["Linux/", "entries/"]
        .iter()
        .any(|folder| path.as_str().contains(folder))
}

fn is_loader(path: &EspPath) -> bool {
    path.name().to_ascii_lowercase().ends_with("x64.efi")
}
