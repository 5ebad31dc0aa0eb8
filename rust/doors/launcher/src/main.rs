//! `bin/switch-to-configuration` of a sealed generation: it becomes the inner generation's program, told of the sealed path.
//!
//! NixOS bakes the inner toplevel's path into its own `switch-to-configuration`. The builder of a sealed generation puts a copy of this program in its
//! place, and what to start with which variables into `touchstone/switch.json`.
//!
//! Exit status: that of the program; 1 when it could not be started, with one error on standard error.
#![forbid(unsafe_code)]

mod error;
mod switch;

use std::convert::Infallible;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use error::Error;
use switch::Switch;

/// The document, from the generation's folder on.
const DOCUMENT: &str = "touchstone/switch.json";

fn main() -> ExitCode {
    match launch() {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Becomes the program; the answer is only ever an error.
fn launch() -> Result<Infallible, Error> {
    let program = std::env::current_exe().map_err(|source| Error::Lost { source })?;
    let file = document_of(&program)?;
    let switch = Switch::read(&file)?;
    let mut arguments = std::env::args_os();
    let mut command = Command::new(&switch.program);
    if let Some(name) = arguments.next() {
        // Programs show it in their usage; the person typed this one.
        command.arg0(name);
    }
    let source = command.args(arguments).envs(switch.environment).exec();
    Err(Error::Start {
        file,
        program: switch.program,
        source,
    })
}

/// The document of the generation whose `bin` has the program.
fn document_of(program: &Path) -> Result<PathBuf, Error> {
    let generation = program.parent().and_then(Path::parent);
    generation
        .map(|generation| generation.join(DOCUMENT))
        .ok_or_else(|| Error::Misplaced {
            program: program.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_beside_the_folder_of_the_program() {
        let found = document_of(Path::new("/nix/store/a-sealed/bin/switch-to-configuration"));
        assert_eq!(
            found.unwrap(),
            Path::new("/nix/store/a-sealed/touchstone/switch.json")
        );
        assert!(document_of(Path::new("/")).is_err());
    }
}
