//! `touchstone`: the command line, and the builder of Touchstone's derivations.
//!
//! Exit status: 0 done; 1 refused or failed, with one error on standard error; 2 wrong usage; 3 looked at, and the answer is no.
#![forbid(unsafe_code)]

mod arguments;
mod builder;
mod commands;
mod console;
mod inspect;
mod inspect_keys;
#[cfg(feature = "tpm")]
mod quiet;

use std::process::ExitCode;

use clap::Parser;

use commands::Verdict;

fn main() -> ExitCode {
    #[cfg(feature = "tpm")]
    quiet::tpm_library();
    let arguments = arguments::Arguments::parse();
    match commands::run(arguments) {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Negative) => ExitCode::from(3),
        Err(failure) => {
            eprintln!("touchstone: error: {failure}");
            ExitCode::from(1)
        }
    }
}
