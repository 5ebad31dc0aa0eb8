//! The words of `touchstone closure`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_artifacts::interpreters::{AllowedInterpreter, FindInterpreters};
use touchstone_artifacts::secrets::FindSecrets;

use super::{
    ExportArguments, ImportArguments, ListClosureArguments, RegistrationArguments,
    SignClosureArguments, VerifyClosureArguments,
};

#[derive(Subcommand)]
pub enum Closure {
    /// Say whether a closure is signed, and in the store as it was signed; exit status 3 when it is not
    Verify(VerifyClosureArguments),
    /// Hash a closure and sign it: a manifest with a signature on each path
    Sign(SignClosureArguments),
    /// Hash a closure and list it: a manifest with the signatures that are known
    Manifest(ListClosureArguments),
    /// Say whether private keys lie in files and folders; exit status 3 when some do
    Secrets(SecretsArguments),
    /// Say whether interpreters lie in files and folders, or files that need one; exit status 3 when some do
    Interpreters(InterpretersArguments),
    /// Take signed paths into the store of a machine without Nix
    Import(ImportArguments),
    /// Write signed paths as one stream, or as a binary cache, for machines without Nix
    Export(ExportArguments),
    /// List what is registered on a machine without Nix, for `nix-store --load-db`
    Registration(RegistrationArguments),
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

#[derive(Args)]
pub struct InterpretersArguments {
    /// What is looked at, such as /nix/store/…: all regular files in it, symbolic links not followed
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Look at the whole closure of these store paths, found by the references in their files
    #[arg(long)]
    pub follow: bool,
    /// What may be there and why: a store path, or a pattern such as '/nix/store/*-bash-*', and a sentence
    #[arg(long, num_args = 2, value_names = ["PATH", "REASON"])]
    pub allow: Vec<String>,
    /// Write the answer here as well
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<InterpretersArguments> for FindInterpreters {
    fn from(words: InterpretersArguments) -> Self {
        let (pairs, _) = words.allow.as_chunks::<2>();
        let allowed = pairs.iter().map(|[path, reason]| AllowedInterpreter {
            path: path.clone(),
            reason: reason.clone(),
        });
        Self {
            paths: words.paths,
            closure: None,
            follow: words.follow,
            allow: allowed.collect(),
            required: false,
            output: words.output,
        }
    }
}
