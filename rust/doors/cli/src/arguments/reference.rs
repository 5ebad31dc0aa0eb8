//! The words of `touchstone reference` and `touchstone pcrlock`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use touchstone_artifacts::inspect::Bank;
use touchstone_artifacts::reference::{
    CheckReference, CreatePcrlock, CreateReference, KeptGeneration, ReferenceFormat,
};

#[derive(Subcommand)]
pub enum Reference {
    /// Write what all kept generations will measure as one document
    Create(CreateArguments),
    /// Say whether a machine is as one of the generations will be; exit status 3 when it is not
    Check(CheckArguments),
}

#[derive(Subcommand)]
pub enum Pcrlock {
    /// Write component files (*.pcrlock) that systemd-pcrlock reads
    Create {
        #[command(flatten)]
        generations: Generations,
        /// The folder to make: its content goes to /var/lib/pcrlock.d
        #[arg(long)]
        output: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct Generations {
    /// A kept generation: its name, and its prediction or its folder of boot artifacts (with its specialisations)
    #[arg(long = "generation", required = true, value_name = "NAME=PATH")]
    pub generations: Vec<NamedPath>,
}

#[derive(Args)]
pub struct CreateArguments {
    #[command(flatten)]
    pub generations: Generations,
    /// The PCRs; those of the first prediction when none are given
    #[arg(long, value_delimiter = ',')]
    pub pcrs: Option<Vec<u32>>,
    /// A bank: sha1, sha256, sha384 or sha512; those of the first prediction when none is given
    #[arg(long)]
    pub bank: Vec<Bank>,
    /// The form of the document
    #[arg(long, value_enum, default_value_t = Format::Touchstone)]
    pub format: Format,
    /// Keep the measurements that make each value, so that `measure compare` can say what moved it
    #[arg(long)]
    pub measurements: bool,
    /// Accept that Keylime admits mixtures of generations
    #[arg(long, conflicts_with = "split")]
    pub mixtures: bool,
    /// Make a folder with a policy of Keylime's for each generation
    #[arg(long)]
    pub split: bool,
    /// The document, or with --split the folder
    #[arg(long)]
    pub output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct CheckArguments {
    /// The document
    pub document: PathBuf,
    /// The machine's values: JSON as `touchstone eventlog replay --json` prints it
    #[arg(long, value_name = "FILE")]
    pub pcrs: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The form of a reference document.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// Touchstone's own
    Touchstone,
    /// What `keylime_tenant --tpm_policy` takes
    Keylime,
    /// What Keylime's verifier takes: the same with the register mask
    KeylimeVerifier,
}

/// `NAME=PATH`.
#[derive(Clone)]
pub struct NamedPath(KeptGeneration);

impl FromStr for NamedPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = text
            .split_once('=')
            .ok_or("write NAME=PATH, such as 42=pcrs.json")?;
        Ok(NamedPath(KeptGeneration {
            name: name.to_owned(),
            prediction: path.into(),
        }))
    }
}

impl Generations {
    fn kept(self) -> Vec<KeptGeneration> {
        self.generations
            .into_iter()
            .map(|NamedPath(kept)| kept)
            .collect()
    }

    /// The request of `pcrlock.create`.
    pub fn pcrlock(self, output: PathBuf) -> CreatePcrlock {
        CreatePcrlock {
            generations: self.kept(),
            output,
        }
    }
}

impl From<CreateArguments> for CreateReference {
    fn from(words: CreateArguments) -> Self {
        Self {
            generations: words.generations.kept(),
            pcrs: words.pcrs,
            banks: Some(words.bank).filter(|banks| !banks.is_empty()),
            format: match words.format {
                Format::Touchstone => ReferenceFormat::Touchstone,
                Format::Keylime => ReferenceFormat::Keylime,
                Format::KeylimeVerifier => ReferenceFormat::KeylimeVerifier,
            },
            measurements: words.measurements,
            mixtures: words.mixtures,
            split: words.split,
            output: words.output,
        }
    }
}

impl From<CheckArguments> for CheckReference {
    fn from(words: CheckArguments) -> Self {
        Self {
            document: words.document,
            values: words.pcrs,
        }
    }
}
