//! The words of `touchstone agent`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_agent::protocol::{CONTROL_SOCKET, DIRECT_SOCKET};

use super::AgentLog;

#[derive(Subcommand)]
pub enum Agent {
    /// Serve: sign what a policy lets builds and people have
    Serve(ServeArguments),
    /// Let a derivation have what the policy keeps for its requesters
    Grant(DerivationArguments),
    /// Take a grant back, and close the socket of its build
    Revoke(DerivationArguments),
    /// Print what the agent has open
    Status {
        #[command(flatten)]
        place: ControlPlace,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at a policy: whether it can be read, and is not loose
    CheckPolicy(CheckPolicyArguments),
    /// Print the JSON Schema of policies
    Schema,
    /// What was signed and what was refused
    #[command(subcommand)]
    Log(AgentLog),
    /// Hold keys for the agent that started this
    #[command(hide = true)]
    HoldKeys,
}

#[derive(Args)]
pub struct ServeArguments {
    /// The policy
    #[arg(long)]
    pub policy: PathBuf,
    /// The folder that the agent keeps, with its log
    #[arg(long, default_value = "/var/lib/touchstone-agent")]
    pub state: PathBuf,
    /// The folder of builds' sockets, which the agent empties
    #[arg(long, default_value = "/run/touchstone-agent/builds")]
    pub builds: PathBuf,
    /// Where the control socket is made, unless systemd hands one over
    #[arg(long, default_value = CONTROL_SOCKET)]
    pub control: PathBuf,
    /// Where the direct socket is made, unless systemd hands one over
    #[arg(long, default_value = DIRECT_SOCKET)]
    pub direct: PathBuf,
}

#[derive(Args)]
pub struct ControlPlace {
    /// The agent's control socket
    #[arg(long, default_value = CONTROL_SOCKET)]
    pub control: PathBuf,
}

#[derive(Args)]
pub struct DerivationArguments {
    /// /nix/store/HASH-NAME.drv
    pub derivation: String,
    #[command(flatten)]
    pub place: ControlPlace,
}

#[derive(Args)]
pub struct CheckPolicyArguments {
    /// The policy
    pub policy: PathBuf,
    /// Look also at the files that it names: who owns them, and who may write or read them
    #[arg(long)]
    pub files: bool,
    /// Where a copy is written, if it is good
    #[arg(long)]
    pub output: Option<PathBuf>,
}
