//! The words of `touchstone closure`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_artifacts::secrets::FindSecrets;

#[derive(Subcommand)]
pub enum Closure {
    /// Say whether private keys lie in files and folders; exit status 3 when some do
    Secrets(SecretsArguments),
}

#[derive(Args)]
pub struct SecretsArguments {
    /// What is looked at, such as /nix/store/…: all regular files in it, symbolic links not followed
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// A key that may be there: its fingerprint, or a pattern of paths such as '/nix/store/*-openssl-*/test/**'
    #[arg(long, value_name = "KEY")]
    pub allow: Vec<String>,
    /// Count keys that only one TPM can use as well
    #[arg(long)]
    pub tpm_bound: bool,
    /// Write the answer here as well
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<SecretsArguments> for FindSecrets {
    fn from(words: SecretsArguments) -> Self {
        Self {
            paths: words.paths,
            closure: None,
            allow: words.allow,
            tpm_bound: words.tpm_bound,
            required: false,
            output: words.output,
        }
    }
}
