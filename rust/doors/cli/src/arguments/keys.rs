//! The words of `touchstone keys`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Subcommand)]
pub enum Keys {
    /// Make test keys (PK, KEK, db) with certificates and signature lists: for tests, never for trust
    Generate {
        /// The folder, which must not exist yet
        folder: PathBuf,
    },
}
