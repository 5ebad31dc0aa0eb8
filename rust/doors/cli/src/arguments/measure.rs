//! The words of `touchstone measure`.

use std::path::PathBuf;

use clap::Subcommand;
use touchstone_artifacts::inspect::{Bank, PhasePath};

#[derive(Subcommand)]
pub enum Measure {
    /// Print the PCR 11 values that a unified kernel image gives, by phase
    Uki {
        /// The unified kernel image
        file: PathBuf,
        /// A phase path, such as enter-initrd:leave-initrd; all of systemd's when none is given
        #[arg(long)]
        phase: Vec<PhasePath>,
        /// A bank: sha1, sha256, sha384 or sha512; sha256 when none is given
        #[arg(long)]
        bank: Vec<Bank>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the PCR 11 values of many images that are not built, from a request file of measure.parts
    Parts {
        /// The request, a JSON file (`-` for standard input)
        request: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the PCR values that a machine will have, from a request file of measure.predict
    Predict {
        /// The request, a JSON file (`-` for standard input)
        request: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare a prediction with the pinned one, and say which component moved which PCR; exit status 3 when one did
    Compare {
        /// What is expected: a prediction, or a reference document
        expected: PathBuf,
        /// What is there now
        actual: PathBuf,
        /// Where the answer is written as well
        #[arg(long)]
        output: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
