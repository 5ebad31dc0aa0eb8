//! The words of `touchstone closure import`, `export` and `registration`.

use std::path::PathBuf;

use clap::Args;
use touchstone_artifacts::closure_export::{ExportClosure, ExportForm};
use touchstone_artifacts::closure_import::ImportClosure;
use touchstone_artifacts::closure_registration::ListRegistered;
use touchstone_store::{PublicKey, StorePath};

#[derive(Args)]
pub struct ImportArguments {
    /// Folders of binary caches, as `nix copy --to file://FOLDER` makes them; or one stream of `closure export` (`-`: standard input)
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<PathBuf>,
    /// A key that is trusted, `<name>:<base 64>`
    #[arg(long, required = true, value_name = "KEY")]
    pub trusted_public_key: Vec<PublicKey>,
    /// How many different ones of the keys must have signed each path
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub sigs_needed: usize,
    /// Import this path and all that it refers to, and nothing else
    #[arg(long = "path", value_name = "STORE PATH")]
    pub paths: Vec<StorePath>,
    /// The folder below which nix/store lies, as of an image that is being made
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Hash what is there already, and replace what is not what was signed
    #[arg(long)]
    pub repair: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<ImportArguments> for ImportClosure {
    fn from(words: ImportArguments) -> Self {
        Self {
            sources: words.sources,
            trusted_public_keys: words.trusted_public_key,
            sigs_needed: words.sigs_needed,
            paths: words.paths,
            root: words.root,
            repair: words.repair,
        }
    }
}

#[derive(Args)]
pub struct ExportArguments {
    /// The paths that are exported, with all that they refer to
    #[arg(required = true, value_name = "STORE PATH")]
    pub toplevels: Vec<StorePath>,
    /// A signed manifest that says the hashes and signatures
    #[arg(long, value_name = "FILE", conflicts_with = "signatures")]
    pub manifest: Option<PathBuf>,
    /// A folder of .narinfo files that says them; without it and --manifest, this machine's registry
    #[arg(long, value_name = "FOLDER")]
    pub signatures: Option<PathBuf>,
    /// A path that the other machine has: it is left out, with all that it refers to
    #[arg(long, value_name = "STORE PATH")]
    pub without: Vec<StorePath>,
    /// The folder below which nix/store lies
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Write the stream to a file instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the folder of a binary cache instead of a stream
    #[arg(long, value_name = "FOLDER", conflicts_with = "output")]
    pub cache: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl ExportArguments {
    /// The request, and whether its stream goes to standard output.
    pub fn request(self) -> (ExportClosure, bool) {
        let (form, output) = match (self.output, self.cache) {
            (_, Some(folder)) => (ExportForm::Cache, Some(folder)),
            (output, None) => (ExportForm::Stream, output),
        };
        let to_stdout = output.is_none();
        let request = ExportClosure {
            toplevels: self.toplevels,
            manifest: self.manifest,
            signatures: self.signatures,
            without: self.without,
            root: self.root,
            form,
            output: output.unwrap_or_else(|| "standard output".into()),
        };
        (request, to_stdout)
    }
}

#[derive(Args)]
pub struct RegistrationArguments {
    /// The folder below which nix/store lies
    #[arg(long, value_name = "FOLDER")]
    pub root: Option<PathBuf>,
    /// Write the list to a file as well
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl From<RegistrationArguments> for ListRegistered {
    fn from(words: RegistrationArguments) -> Self {
        Self {
            root: words.root,
            output: words.output,
        }
    }
}
