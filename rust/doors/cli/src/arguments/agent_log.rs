//! The words of `touchstone agent log`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand};
use touchstone_agent::log::{PublicKey, Sequence, Time};

/// Where the agent of `boot.touchstone.agent` has its log.
const FOLDER: &str = "/var/lib/touchstone-agent/log";

#[derive(Subcommand)]
pub enum AgentLog {
    /// Print the entries of a log
    Show(ShowLog),
    /// Say whether a log hangs together and is what its checkpoints have signed
    Verify(VerifyLog),
    /// Print the last checkpoint of a log
    Checkpoint {
        /// The log's folder
        #[arg(default_value = FOLDER)]
        folder: PathBuf,
    },
    /// Make a key that signs checkpoints, and print its public half
    Keygen {
        /// What the key is called: best the machine's name and a number, such as builder.example.org-1
        #[arg(long)]
        name: String,
        /// Where the secret half is written; nothing may be there yet
        #[arg(value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Args)]
pub struct ShowLog {
    /// The log's folder
    #[arg(default_value = FOLDER)]
    pub folder: PathBuf,
    /// Begin with this entry, or with what was written at or after this time: 1234, 2026-01-31 or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "ENTRY|TIME")]
    pub since: Option<Since>,
    /// Events of this kind alone, such as signed or refused
    #[arg(long = "event", value_name = "EVENT")]
    pub events: Vec<String>,
    /// Print the lines as they are: JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(group(
    ArgGroup::new("by").required(true).multiple(true).args(["public_keys", "public_key_files", "chain_only"])
))]
pub struct VerifyLog {
    /// The log's folder
    #[arg(default_value = FOLDER)]
    pub folder: PathBuf,
    /// A checkpoint, or a folder of exported ones [default: the one beside the log]
    #[arg(
        long = "checkpoint",
        value_name = "FILE|FOLDER",
        conflicts_with = "chain_only"
    )]
    pub checkpoints: Vec<PathBuf>,
    /// The public half of the key that signs checkpoints, as `keygen` printed it
    #[arg(long = "public-key", value_name = "KEY", conflicts_with = "chain_only")]
    pub public_keys: Vec<PublicKey>,
    /// A file with such keys, a line each
    #[arg(
        long = "public-key-file",
        value_name = "FILE",
        conflicts_with = "chain_only"
    )]
    pub public_key_files: Vec<PathBuf>,
    /// Look at the chain alone: neither cutting nor rewriting is seen
    #[arg(long)]
    pub chain_only: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Where to begin.
#[derive(Clone, Copy)]
pub enum Since {
    Entry(Sequence),
    Time(Time),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(number) = text.parse() {
            return Ok(Self::Entry(Sequence(number)));
        }
        let time = text.parse();
        let day = || format!("{text}T00:00:00Z").parse();
        let time = time.or_else(|_| day());
        time.map(Self::Time)
            .map_err(|_| "it is neither an entry's number nor a time such as 2026-01-31 or 2026-01-31T12:00:00Z".to_owned())
    }
}
