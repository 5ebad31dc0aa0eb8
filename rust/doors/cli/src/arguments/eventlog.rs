//! The words of `touchstone eventlog`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_artifacts::eventlog::{ReplayEventLog, ShowEventLog};
use touchstone_artifacts::inspect::Bank;

#[derive(Subcommand)]
pub enum EventLog {
    /// Print every event: its register, type and digests, and what it says
    Show(LogArguments),
    /// Print the PCR values that the log adds up to
    Replay(LogArguments),
}

#[derive(Args)]
pub struct LogArguments {
    /// The log: /sys/kernel/security/tpm0/binary_bios_measurements, or a copy
    pub file: PathBuf,
    /// A bank: sha1, sha256, sha384 or sha512; all that the log has when none is given
    #[arg(long)]
    pub bank: Vec<Bank>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<LogArguments> for ShowEventLog {
    fn from(words: LogArguments) -> Self {
        Self {
            file: words.file,
            banks: words.bank,
        }
    }
}

impl From<LogArguments> for ReplayEventLog {
    fn from(words: LogArguments) -> Self {
        Self {
            file: words.file,
            banks: words.bank,
        }
    }
}
