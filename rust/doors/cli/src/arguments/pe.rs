//! The words of `touchstone pe`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{KeyArguments, VerifyArguments};

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
    /// Append an Authenticode signature
    Sign {
        #[command(flatten)]
        key: KeyArguments,
        /// Write the header's CheckSum, which firmware ignores
        #[arg(long)]
        checksum: bool,
        /// Where the signed image is written
        #[arg(long)]
        output: PathBuf,
        /// The image
        file: PathBuf,
    },
    /// Say whether firmware would start the image, and why
    Verify(VerifyArguments),
}
