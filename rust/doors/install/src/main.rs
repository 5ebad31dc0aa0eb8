//! `touchstone-install`: installs NixOS generations on EFI system partitions, and activates them without interpreters.
//!
//! Exit status: 0 done; 1 refused or failed, with one error on standard error; 2 wrong usage; 3 looked at, and the answer is no.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use touchstone_install::Verdict;
use touchstone_install::arguments::Arguments;
use touchstone_install::commands::run;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Negative) => ExitCode::from(3),
        Err(error) => {
            eprintln!("touchstone-install: error: {error}");
            ExitCode::FAILURE
        }
    }
}
