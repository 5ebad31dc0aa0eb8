//! Installs NixOS generations on EFI system partitions, and activates them without interpreters.
//!
//! - [`Host`]: where everything of the machine is found.
//! - [`settings`]: `touchstone/install.json` of a toplevel.
//! - [`arguments`]: the words of the command line.
//! - [`activate`]: `boot` and `rollback`, and profiles as Nix has them.
//! - [`assess`]: which entries are good, and which bad.
//! - [`install`]: the installation itself; [`profiles`] and [`generation`]: what there is to install.
//! - [`status`]: what is on the partitions, and what the machine will make of it.
//! - [`variables`]: the firmware's variables.
#![forbid(unsafe_code)]

pub mod activate;
pub mod arguments;
pub mod assess;
pub mod commands;
mod console;
pub mod generation;
pub mod host;
pub mod install;
mod os_release;
pub mod profiles;
pub mod settings;
pub mod status;
pub mod variables;

pub use host::Host;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was done.
    Done,
    /// It looked, and the answer is no: exit status 3.
    Negative,
}
