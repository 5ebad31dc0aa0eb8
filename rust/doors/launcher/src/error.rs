//! Why the program could not be started: what happened, to which file, and what to do.

use std::io;
use std::path::PathBuf;

/// A failure, as it is shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel does not say where this program lies.
    #[error(
        "switch-to-configuration: error: this program cannot find itself: {source}\n  file: /proc/self/exe\n  help: mount /proc (nixos-enter does), then try again"
    )]
    Lost {
        /// What the system answered.
        source: io::Error,
    },
    /// This program does not lie in the `bin` of a generation.
    #[error(
        "switch-to-configuration: error: this program lies in no generation's bin/\n  file: {}\n  help: start bin/switch-to-configuration of a sealed generation", .program.display()
    )]
    Misplaced {
        /// Where it lies.
        program: PathBuf,
    },
    /// The document is missing or not readable.
    #[error(
        "switch-to-configuration: error: what to start cannot be read: {source}\n  file: {}\n  help: start bin/switch-to-configuration where the sealed generation has it: a copy elsewhere does not know its generation; `nix store verify` tells whether the generation is damaged", .file.display()
    )]
    Read {
        /// The document.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The document is not what a builder writes.
    #[error(
        "switch-to-configuration: error: what to start is not usable: {fact}\n  file: {}\n  help: the builder of sealed generations writes this file: build the generation again, with the Touchstone that its launcher is of", .file.display()
    )]
    Malformed {
        /// The document.
        file: PathBuf,
        /// What is wrong with it.
        fact: String,
    },
    /// The program does not start.
    #[error(
        "switch-to-configuration: error: {} does not start: {source}\n  file: {}\n  help: the whole closure of the generation must be on this machine: copy it with `nix copy`", .program.display(), .file.display()
    )]
    Start {
        /// The document that names the program.
        file: PathBuf,
        /// The program.
        program: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}
