//! Everything that the checks and `cargo xtask` need of the outside world.
//!
//! `cargo xtask setup` fills a cache folder with packages of Debian, unpacked and never installed, and
//! writes an index of what is there; tests read that index through [`inputs::inputs`] and run the
//! peers (Nix, ukify, QEMU, …) through [`enter::Root`].
#![forbid(unsafe_code)]

pub mod agent;
pub mod boot;
pub mod cache;
pub mod closure;
pub mod cue;
pub mod daemon;
pub mod debian;
pub mod efi;
pub mod efi_program;
pub mod enter;
mod fetch;
pub mod generations;
pub mod guest;
mod index;
pub mod initrd;
pub mod inputs;
pub mod modules;
mod namespace;
pub mod nix;
pub mod nix_inputs;
pub mod options;
pub mod plugin_host;
pub mod progress;
mod prune;
pub mod python;
pub mod roots;
pub mod setup;
mod software_tpm;
pub mod stand_in;
pub mod systemd;
pub mod systemd_initrd;
pub mod trace;
pub mod tss2;
pub mod usage;
pub mod variable_program;
pub mod verdicts;
pub mod wanted;

pub use daemon::NixDaemon;
pub use enter::{Root, Visit};
pub use generations::{Flavour, Generations};
pub use index::index;
pub use inputs::{Inputs, inputs};
pub use namespace::enter_and_wait;
pub use nix::Nix;
pub use plugin_host::PluginHost;
pub use software_tpm::WITH_TPM;
pub use systemd::{Systemd, systemds};
pub use trace::Trace;
pub use usage::Usage;
