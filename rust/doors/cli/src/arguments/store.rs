//! The words of `touchstone store`.

use clap::Subcommand;

#[derive(Subcommand)]
pub enum Store {
    /// Print the parts of a store path's name; nothing is read
    Path {
        /// /nix/store/HASH-NAME, or a file below one
        path: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}
