//! The command line's words.

mod agent;
mod agent_log;
mod boot;
mod boot_checks;
mod bootspec;
mod closure;
mod closure_import;
mod closure_verify;
mod eventlog;
mod key;
mod keys;
mod measure;
mod pe;
mod policy;
mod reference;
mod store;
mod text;
mod uki;
mod verify;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use agent::{Agent, CheckPolicyArguments, DerivationArguments, ServeArguments};
pub use agent_log::{AgentLog, ShowLog, Since, VerifyLog};
pub use boot::Boot;
pub use boot_checks::{SpaceArguments, VerifyArtifactsArguments};
pub use bootspec::Bootspec;
pub use closure::Closure;
pub use closure_import::{ExportArguments, ImportArguments, RegistrationArguments};
pub use closure_verify::{ListClosureArguments, SignClosureArguments, VerifyClosureArguments};
pub use eventlog::EventLog;
pub use key::{KeyArguments, OptionalKey};
pub use keys::Keys;
pub use measure::Measure;
pub use pe::{Pe, Request};
pub use policy::Policy;
pub use reference::{Pcrlock, Reference};
pub use store::Store;
pub use uki::{Uki, UkiBuild};
pub use verify::VerifyArguments;

/// Boot trust for NixOS: unified kernel images, signatures, predicted PCR values and manifests.
///
/// Exit status: 0 done; 1 refused or failed; 2 wrong usage; 3 the verdict is negative.
#[derive(Parser)]
#[command(version, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Perform any operation from a request file, as the Nix builder would
    Run {
        /// The request, a JSON file (`-` for standard input)
        request: PathBuf,
    },
    /// Print the JSON Schema of an operation's request and answer, or list the operations
    Schema {
        /// The operation, such as uki.assemble
        operation: Option<String>,
    },
    /// Unified kernel images
    #[command(subcommand)]
    Uki(Uki),
    /// PE images
    #[command(subcommand)]
    Pe(Pe),
    /// PCR values
    #[command(subcommand)]
    Measure(Measure),
    /// Event logs of the firmware
    #[command(subcommand, name = "eventlog")]
    EventLog(EventLog),
    /// TPM policies: what a secret is sealed to
    #[command(subcommand)]
    Policy(Policy),
    /// What all kept generations will measure, for verifiers
    #[command(subcommand)]
    Reference(Reference),
    /// Component files of systemd-pcrlock
    #[command(subcommand)]
    Pcrlock(Pcrlock),
    /// The boot artifacts of a generation
    #[command(subcommand)]
    Boot(Boot),
    /// Bootspec documents: what a generation tells its boot loader
    #[command(subcommand)]
    Bootspec(Bootspec),
    /// Secure Boot keys
    #[command(subcommand)]
    Keys(Keys),
    /// Names in the Nix store
    #[command(subcommand)]
    Store(Store),
    /// Closures of store paths
    #[command(subcommand)]
    Closure(Closure),
    /// The signing agent: builds sign, and keys stay out of them
    #[command(subcommand)]
    Agent(Agent),
    /// Build a derivation: what `builder` names in Touchstone's Nix functions
    #[command(hide = true)]
    Builder,
}
