//! The words of `touchstone agent`.

use clap::Subcommand;

use super::AgentLog;

#[derive(Subcommand)]
pub enum Agent {
    /// What was signed and what was refused
    #[command(subcommand)]
    Log(AgentLog),
}
