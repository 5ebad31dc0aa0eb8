//! Why a build has no socket: what happened, of which derivation, and what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use touchstone_agent::NotADerivation;
use touchstone_agent::derivation::{DerivationError, FeatureError};
use touchstone_artifacts::agent::AgentError;

/// A failure, as it is shown.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The path is none of a derivation.
    #[error(
        "touchstone-pre-build-hook: {path:?} gets no socket of the signing agent: {source}\n  help: it is Nix that starts this program, with the path of what it builds"
    )]
    Path {
        /// What was named.
        path: String,
        /// Why it is none.
        source: NotADerivation,
    },
    /// The derivation is not in the store: it came from another machine without its file.
    #[error(
        "touchstone-pre-build-hook: {derivation} gets no socket of the signing agent: its file is not in this store, so that nobody knows what is built\n  help: if it is to sign, copy it before: nix copy --derivation --to ssh-ng://… {derivation}"
    )]
    Absent {
        /// What is built.
        derivation: String,
    },
    /// The derivation cannot be read.
    #[error(
        "touchstone-pre-build-hook: {derivation} gets no socket of the signing agent: it cannot be read: {source}\n  help: Nix starts this program as who builds; look whether that is root"
    )]
    Unreadable {
        /// What is built.
        derivation: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The file is no derivation that is signed for.
    #[error(
        "touchstone-pre-build-hook: {derivation} gets no socket of the signing agent: {source}\n  help: the agent signs for derivations whose inputs and outputs are known before they are built: docs/agent.md"
    )]
    Derivation {
        /// What is built.
        derivation: String,
        /// What is wrong with it.
        source: DerivationError,
    },
    /// Its features cannot be told.
    #[error(
        "touchstone-pre-build-hook: {derivation} gets no socket of the signing agent: {source}\n  help: write `requiredSystemFeatures = [ \"touchstone-agent\" ];`"
    )]
    Features {
        /// What is built.
        derivation: String,
        /// What is wrong with them.
        source: FeatureError,
    },
    /// The agent is away, or refuses.
    #[error(
        "touchstone-pre-build-hook: {derivation} gets no socket of the signing agent: {source} [{}]\n  socket: {}\n  help: {}", .source.code(), .control.display(), .source.help()
    )]
    Agent {
        /// What is built.
        derivation: String,
        /// Where the agent was asked.
        control: PathBuf,
        /// What it said.
        source: Box<AgentError>,
    },
    /// The agent does not answer.
    #[error(
        "touchstone-pre-build-hook: {derivation} gets no socket of the signing agent, which does not answer within {} s\n  socket: {}\n  help: `systemctl status touchstone-agent` says what it does; restart it, and build again", .after.as_secs(), .control.display()
    )]
    Silent {
        /// What is built.
        derivation: String,
        /// Where the agent was asked.
        control: PathBuf,
        /// How long it was waited for.
        after: Duration,
    },
    /// Nix does not listen.
    #[error(
        "touchstone-pre-build-hook: Nix does not take what it is told: {source}\n  help: build again"
    )]
    Untold {
        /// What the system answered.
        source: io::Error,
    },
}
