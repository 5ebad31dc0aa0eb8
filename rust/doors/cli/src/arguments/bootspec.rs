//! The words of `touchstone bootspec`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_artifacts::bootspec::{
    ShowBootspec, SynthesizeBootspec, UpgradeBootspec, ValidateBootspec,
};

#[derive(Subcommand)]
pub enum Bootspec {
    /// Say whether files are Bootspec documents; the first that is none is refused, with the place that is at fault
    Validate(ValidateArguments),
    /// Put v2 beside the v1 of a document
    Upgrade(UpgradeArguments),
    /// Make the document of a generation that was built without one
    Synthesize(SynthesizeArguments),
    /// Print what a document says
    Show(ShowArguments),
}

#[derive(Args)]
pub struct ValidateArguments {
    /// The documents: files, or toplevels with a boot.json
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Write the answer here as well
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct UpgradeArguments {
    /// One more initrd of the generation, loaded after v1's
    #[arg(long = "initrd", value_name = "FILE")]
    pub initrds: Vec<PathBuf>,
    /// A directory of device trees
    #[arg(long)]
    pub fdtdir: Option<PathBuf>,
    /// One device tree, overlays applied
    #[arg(long)]
    pub devicetree: Option<PathBuf>,
    #[command(flatten)]
    pub secrets: Secrets,
    /// Where the document is written, which may be FILE itself; printed without it
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The document: a file, or a toplevel with a boot.json
    pub file: PathBuf,
}

#[derive(Args)]
pub struct SynthesizeArguments {
    /// Write v1 alone, without v2 beside it
    #[arg(long)]
    pub v1_only: bool,
    #[command(flatten)]
    pub secrets: Secrets,
    /// Where the document is written; printed without it
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The toplevel: a store path, or a link to one
    pub toplevel: PathBuf,
}

#[derive(Args)]
pub struct Secrets {
    /// Say that the program which appends secrets to the initrd appends none: v2 cannot name it
    #[arg(long)]
    pub without_initrd_secrets: bool,
}

#[derive(Args)]
pub struct ShowArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The document: a file, or a toplevel with a boot.json
    pub file: PathBuf,
}

impl From<ValidateArguments> for ValidateBootspec {
    fn from(words: ValidateArguments) -> Self {
        Self {
            files: words.files,
            output: words.output,
        }
    }
}

impl From<UpgradeArguments> for UpgradeBootspec {
    fn from(words: UpgradeArguments) -> Self {
        Self {
            file: words.file,
            initrds: words.initrds,
            fdtdir: words.fdtdir,
            devicetree: words.devicetree,
            without_initrd_secrets: words.secrets.without_initrd_secrets,
            output: words.output,
        }
    }
}

impl From<SynthesizeArguments> for SynthesizeBootspec {
    fn from(words: SynthesizeArguments) -> Self {
        Self {
            toplevel: words.toplevel,
            v1_only: words.v1_only,
            without_initrd_secrets: words.secrets.without_initrd_secrets,
            output: words.output,
        }
    }
}

impl From<ShowArguments> for ShowBootspec {
    fn from(words: ShowArguments) -> Self {
        Self { file: words.file }
    }
}
