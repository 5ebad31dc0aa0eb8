//! What is done to a machine, and what its console has to say then.

use std::collections::BTreeMap;

use anyhow::Result;
use touchstone_harness::boot::Machine;

use super::workshop::{Generation, Image, Tree, Verified};

mod on_root;
mod told;

/// The generation that most attacks are made on: its manifest lies in its image.
pub const PLAIN: &str = "verified";
/// The one that halts.
pub const HALTING: &str = "verified-halt";
/// The one without nixpkgs' scripts between initrd and system.
pub const NIXOS_INIT: &str = "verified-nixos-init";
/// The one whose manifest lies on the ESP.
pub const BESIDE: &str = super::workshop::CARRIED_BESIDE;
/// The one that is signed and is no system.
pub const NO_SYSTEM: &str = "no-system";

/// Something that is changed on the root before the machine boots.
pub type OnRoot = fn(&Tree) -> Result<()>;
/// Something that is added to the machine.
pub type OnMachine = for<'m> fn(&Scene<'m>, Machine<'m>) -> Result<Machine<'m>>;

/// What a machine is made of.
pub struct Scene<'m> {
    /// Where everything is made.
    pub verified: &'m Verified,
    /// All generations.
    pub all: &'m BTreeMap<&'static str, Generation>,
    /// The one that is booted.
    pub generation: &'m Generation,
    /// Its root.
    pub root: &'m Image,
}

/// One attack.
pub struct Attack {
    /// What is done, for people.
    pub name: &'static str,
    /// Which generation is booted.
    pub generation: &'static str,
    /// What the console says, behind the program's name; as much of it as tells it from all others.
    pub says: &'static str,
    /// What is changed on the root.
    pub root: OnRoot,
    /// What is added to the machine.
    pub machine: OnMachine,
    /// Whether CI boots it: one of each kind.
    pub always: bool,
}

const fn on_root(name: &'static str, says: &'static str, root: OnRoot) -> Attack {
    Attack {
        name,
        generation: PLAIN,
        says,
        root,
        machine: |_, machine| Ok(machine),
        always: false,
    }
}

const fn told(name: &'static str, says: &'static str, machine: OnMachine) -> Attack {
    Attack {
        name,
        generation: PLAIN,
        says,
        root: |_| Ok(()),
        machine,
        always: false,
    }
}

impl Attack {
    const fn of(self, generation: &'static str) -> Attack {
        Attack { generation, ..self }
    }

    const fn always(self) -> Attack {
        Attack {
            always: true,
            ..self
        }
    }
}

/// Every attack, in the order of the page.
pub fn attacks() -> impl Iterator<Item = &'static Attack> {
    on_root::ATTACKS.iter().chain(told::ATTACKS)
}
