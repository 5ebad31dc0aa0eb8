//! The generations of a machine, as far as a UKI shows them.

use std::fmt;

use touchstone_harness::guest::COMMAND_LINE;

/// One entry of the boot menu.
#[derive(Clone, Copy)]
pub struct Generation {
    /// The generation's number.
    pub number: u32,
    /// Its specialisation, where it is one.
    pub specialisation: Option<&'static str>,
}

impl Generation {
    /// A generation without a specialisation.
    pub fn plain(number: u32) -> Generation {
        Generation {
            number,
            specialisation: None,
        }
    }

    /// A generation, followed by its two specialisations.
    pub fn with_specialisations(number: u32) -> [Generation; 3] {
        [None, Some("graphical"), Some("rescue")].map(|specialisation| Generation {
            number,
            specialisation,
        })
    }

    /// As NixOS has it: what differs is the path of the system.
    pub fn command_line(&self) -> String {
        let Generation { number, .. } = self;
        let system = format!("/nix/store/{number:032}-nixos-system-check-25.11");
        match self.specialisation {
            None => format!("init={system}/init {COMMAND_LINE}"),
            Some(name) => format!("init={system}/specialisation/{name}/init {COMMAND_LINE}"),
        }
    }

    /// What the boot menu shows.
    pub fn os_release(&self) -> String {
        let title = format!("NixOS 25.11 ({self})");
        format!("ID=nixos\nPRETTY_NAME=\"{title}\"\nVERSION_ID=\"25.11\"\n")
    }

    /// The name of its file on the ESP.
    pub fn file(&self) -> String {
        let name = self.specialisation.unwrap_or("plain");
        format!("nixos-generation-{}-{name}.efi", self.number)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "generation {}", self.number)?;
        self.specialisation
            .map_or(Ok(()), |name| write!(out, ", specialisation {name}"))
    }
}
