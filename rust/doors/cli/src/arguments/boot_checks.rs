//! The words of `touchstone boot verify` and `touchstone boot space`.

use std::path::PathBuf;

use clap::Args;
use touchstone_artifacts::boot_verify::VerifyArtifacts;
use touchstone_artifacts::firmware::Measure;
use touchstone_artifacts::space::{MeasureSpace, Size};

#[derive(Args)]
pub struct VerifyArtifactsArguments {
    /// The `measure` that boot.artifacts was given, as a JSON file: every value is predicted once more
    #[arg(long, value_name = "FILE")]
    pub measure: Option<PathBuf>,
    /// The firmware's db: signature lists (ESL); firmware with it must start every image
    #[arg(long, value_name = "ESL")]
    pub db: Option<PathBuf>,
    /// The firmware's dbx, likewise; without it, nothing is forbidden
    #[arg(long, value_name = "ESL", requires = "db")]
    pub dbx: Option<PathBuf>,
    /// A public key of Nix (name:base64) that must have signed the manifest; may be given more than once
    #[arg(long, value_name = "KEY")]
    pub trusted_key: Vec<String>,
    /// How many of them must have signed each path: 1 when not given
    #[arg(long, value_name = "NUMBER", requires = "trusted_key")]
    pub sigs_needed: Option<usize>,
    /// Write the answer here as well
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The folder with boot.json: boot artifacts, or a sealed generation
    pub artifacts: PathBuf,
}

impl VerifyArtifactsArguments {
    /// The request, with what the file of `--measure` holds.
    pub fn request(self, measure: Option<Measure>) -> VerifyArtifacts {
        VerifyArtifacts {
            artifacts: self.artifacts,
            measure,
            shim: None,
            device_tree: None,
            db: self.db,
            dbx: self.dbx,
            trusted_keys: self.trusted_key,
            sigs_needed: self.sigs_needed,
            required: false,
            output: self.output,
        }
    }
}

#[derive(Args)]
pub struct SpaceArguments {
    /// The partition's size: bytes, or a number with K, M, G or T, such as 512M
    #[arg(long)]
    pub size: Size,
    /// How many generations are kept: as many as are named when not given
    #[arg(long, value_name = "NUMBER")]
    pub generations: Option<u64>,
    /// The file system's clusters: by the rule of mkfs.vfat when not given
    #[arg(long, value_name = "SIZE")]
    pub cluster_size: Option<Size>,
    /// Its sectors: 512 bytes when not given
    #[arg(long, value_name = "SIZE")]
    pub sector_size: Option<Size>,
    /// What is to stay free: 1M when not given
    #[arg(long, value_name = "SIZE")]
    pub reserve: Option<Size>,
    /// Another file on the partition: its path there, and where it is read; may be given more than once
    #[arg(long, value_name = "PATH=FILE", value_parser = shared)]
    pub shared: Vec<(String, PathBuf)>,
    /// Write the answer here as well
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Folders of boot artifacts, a generation each
    #[arg(required = true)]
    pub artifacts: Vec<PathBuf>,
}

fn shared(text: &str) -> Result<(String, PathBuf), String> {
    let (path, file) = text
        .split_once('=')
        .ok_or("write PATH=FILE, such as EFI/memtest.efi=./memtest.efi")?;
    Ok((path.to_owned(), file.into()))
}

impl From<SpaceArguments> for MeasureSpace {
    fn from(words: SpaceArguments) -> Self {
        Self {
            artifacts: words.artifacts,
            generations: words.generations,
            size: words.size,
            cluster_size: words.cluster_size,
            sector_size: words.sector_size,
            reserve: words.reserve,
            shared: words.shared.into_iter().collect(),
            required: false,
            output: words.output,
        }
    }
}
