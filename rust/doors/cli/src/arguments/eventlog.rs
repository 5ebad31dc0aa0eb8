//! The words of `touchstone eventlog`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use touchstone_artifacts::eventlog::{CompareEventLog, ReplayEventLog, ShowEventLog};
use touchstone_artifacts::inspect::Bank;

#[derive(Subcommand)]
pub enum EventLog {
    /// Print every event: its register, type and digests, and what it says
    Show(LogArguments),
    /// Print the PCR values that the log adds up to
    Replay(LogArguments),
    /// Say which prediction the log is, or what is otherwise; exit status 3 when none fits
    Compare(CompareArguments),
}

#[derive(Args)]
#[command(group = ArgGroup::new("logs").required(true).multiple(true))]
pub struct LogArguments {
    /// The firmware's log: /sys/kernel/security/tpm0/binary_bios_measurements, or a copy
    #[arg(group = "logs")]
    pub file: Option<PathBuf>,
    /// What systemd measured later: /run/log/systemd/tpm2-measure.log, or a copy
    #[arg(long, value_name = "LOG", group = "logs")]
    pub userspace: Option<PathBuf>,
    /// A bank: sha1, sha256, sha384 or sha512; all that the log has when none is given
    #[arg(long)]
    pub bank: Vec<Bank>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct CompareArguments {
    /// The firmware's log
    pub file: PathBuf,
    /// Answers of `measure predict --json`
    #[arg(required = true)]
    pub prediction: Vec<PathBuf>,
    /// What systemd measured later: /run/log/systemd/tpm2-measure.log, or a copy
    #[arg(long, value_name = "LOG")]
    pub userspace: Option<PathBuf>,
    /// Another answer of `measure predict --json`, whose measurements are then known by name
    #[arg(long, value_name = "PREDICTION")]
    pub known: Vec<PathBuf>,
    /// A PE image, which is then known by name
    #[arg(long, value_name = "FILE")]
    pub known_image: Vec<PathBuf>,
    /// A signature list (ESL), by which the entries of variables are compared
    #[arg(long, value_name = "ESL")]
    pub known_list: Vec<PathBuf>,
    /// What the machine's registers hold: what tpm2_pcrread prints, or JSON
    #[arg(long, value_name = "FILE")]
    pub pcrs: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<LogArguments> for ShowEventLog {
    fn from(words: LogArguments) -> Self {
        Self {
            file: words.file,
            userspace: words.userspace,
            banks: words.bank,
        }
    }
}

impl From<LogArguments> for ReplayEventLog {
    fn from(words: LogArguments) -> Self {
        Self {
            file: words.file,
            userspace: words.userspace,
            banks: words.bank,
        }
    }
}

impl From<CompareArguments> for CompareEventLog {
    fn from(words: CompareArguments) -> Self {
        Self {
            file: words.file,
            userspace: words.userspace,
            predictions: words.prediction,
            known: words.known,
            known_images: words.known_image,
            known_lists: words.known_list,
            pcrs: words.pcrs,
        }
    }
}
