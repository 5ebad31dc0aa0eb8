//! The words of `touchstone boot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_artifacts::boot_signatures::{RequestSignatures, SignRequests};

use super::KeyArguments;
use super::key::Digest;

#[derive(Subcommand)]
pub enum Boot {
    /// Write what is to be signed elsewhere for a folder of boot artifacts
    Requests(RequestsArguments),
    /// Sign everything that a folder of requests asks for
    Sign(SignArguments),
}

#[derive(Args)]
pub struct RequestsArguments {
    /// The certificate of the key that will sign: a PEM or DER file
    #[arg(long)]
    pub certificate: PathBuf,
    /// The digest of images and signatures
    #[arg(long, default_value = "sha256")]
    pub digest: Digest,
    /// Accept a certificate that is not valid today: firmware ignores dates, other verifiers do not
    #[arg(long)]
    pub allow_expired: bool,
    /// The folder to make: <digest>.signed-data of each image
    #[arg(long)]
    pub output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The folder of boot artifacts, the one with boot.json
    pub artifacts: PathBuf,
}

#[derive(Args)]
pub struct SignArguments {
    #[command(flatten)]
    pub key: KeyArguments,
    /// The folder to make: each request and its signature
    #[arg(long)]
    pub output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The folder that `touchstone boot requests` made
    pub requests: PathBuf,
}

impl From<RequestsArguments> for RequestSignatures {
    fn from(words: RequestsArguments) -> Self {
        Self {
            artifacts: words.artifacts,
            certificate: words.certificate,
            digest: words.digest.into(),
            allow_expired: words.allow_expired,
            output: words.output,
        }
    }
}

impl From<SignArguments> for SignRequests {
    fn from(words: SignArguments) -> Self {
        Self {
            requests: words.requests,
            sign: words.key.into(),
            output: words.output,
        }
    }
}
