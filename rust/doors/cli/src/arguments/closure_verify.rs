//! The words of `touchstone closure verify`, `sign` and `manifest`.

use std::path::PathBuf;

use clap::Args;
use touchstone_artifacts::closure_manifest::{ListClosure, SignClosure};
use touchstone_artifacts::closure_verify::VerifyClosure;
use touchstone_store::manifest::Class;
use touchstone_store::{PublicKey, StorePath};

/// Which store, and where its paths' hashes, references and signatures are found.
#[derive(Args)]
pub struct KnownArguments {
    /// The folder below which nix/store lies, such as a disk that is mounted there
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Find hashes, references and signatures in this database of Nix; without it, --signatures and --manifest: where the store's own
    /// machine has them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["signatures", "manifest"])]
    pub nix_database: Option<PathBuf>,
    /// Find them in a folder of .narinfo files
    #[arg(long, value_name = "FOLDER", conflicts_with = "manifest")]
    pub signatures: Option<PathBuf>,
    /// Find them in a manifest
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
}

#[derive(Args)]
pub struct VerifyClosureArguments {
    /// The path that is verified, with all that it refers to
    #[arg(value_name = "STORE PATH")]
    pub toplevel: StorePath,
    /// A key that is trusted, `<name>:<base 64>`
    #[arg(long, required = true, value_name = "KEY")]
    pub trusted_public_key: Vec<PublicKey>,
    /// How many different ones of the keys must have signed each path
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub sigs_needed: usize,
    #[command(flatten)]
    pub known: KnownArguments,
    /// The class of machines that the manifest as a whole must be signed for
    #[arg(long, value_name = "TEXT", requires = "manifest")]
    pub class: Option<Class>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<VerifyClosureArguments> for VerifyClosure {
    fn from(words: VerifyClosureArguments) -> Self {
        Self {
            toplevel: words.toplevel,
            trusted_public_keys: words.trusted_public_key,
            sigs_needed: words.sigs_needed,
            root: words.known.root,
            nix_database: words.known.nix_database,
            signatures: words.known.signatures,
            manifest: words.known.manifest,
            class: words.class,
        }
    }
}

#[derive(Args)]
pub struct ListClosureArguments {
    /// The path that is listed, with all that it refers to
    #[arg(value_name = "STORE PATH")]
    pub toplevel: StorePath,
    #[command(flatten)]
    pub known: KnownArguments,
    /// The machines that the manifest is for, which its signatures as a whole bind it to
    #[arg(long)]
    pub class: Option<Class>,
    /// Write the manifest here
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<ListClosureArguments> for ListClosure {
    fn from(words: ListClosureArguments) -> Self {
        Self {
            toplevel: words.toplevel,
            root: words.known.root,
            nix_database: words.known.nix_database,
            signatures: words.known.signatures,
            manifest: words.known.manifest,
            class: words.class,
            output: words.output,
        }
    }
}

#[derive(Args)]
pub struct SignClosureArguments {
    /// The path that is signed, with all that it refers to
    #[arg(value_name = "STORE PATH")]
    pub toplevel: StorePath,
    /// The file of a Nix secret key, as nix-store --generate-binary-cache-key writes it, never a store path; or agent:…
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    #[command(flatten)]
    pub known: KnownArguments,
    /// The machines that the manifest is for, which its signatures as a whole bind it to
    #[arg(long)]
    pub class: Option<Class>,
    /// Write the signed manifest here
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<SignClosureArguments> for SignClosure {
    fn from(words: SignClosureArguments) -> Self {
        Self {
            toplevel: words.toplevel,
            key: words.key,
            root: words.known.root,
            nix_database: words.known.nix_database,
            signatures: words.known.signatures,
            manifest: words.known.manifest,
            class: words.class,
            output: words.output,
        }
    }
}
