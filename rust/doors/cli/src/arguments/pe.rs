//! The words of `touchstone pe`.

mod sign;

use std::path::PathBuf;

use clap::Subcommand;

use super::VerifyArguments;

pub use sign::{Request, Sign, Unsign};

#[derive(Subcommand)]
pub enum Pe {
    /// Print the Authenticode SHA-256 digest
    Digest {
        /// The image
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Append an Authenticode signature: by a key, or one that was made elsewhere
    Sign(Box<Sign>),
    /// Remove Authenticode signatures
    Unsign(Unsign),
    /// Say whether firmware would start the image, and why
    Verify(VerifyArguments),
}
