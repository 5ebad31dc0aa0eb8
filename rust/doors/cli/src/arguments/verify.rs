//! The words of `touchstone pe verify`.

use std::path::PathBuf;

use clap::Args;
use touchstone_artifacts::verify::VerifyPe;

#[derive(Args)]
pub struct VerifyArguments {
    /// A certificate (PEM or DER) that the firmware trusts; may be given more than once
    #[arg(long, value_name = "FILE", required_unless_present = "db")]
    pub certificate: Vec<PathBuf>,
    /// The firmware's db: signature lists (ESL), a variable of efivarfs, or a signed update (.auth)
    #[arg(long, value_name = "ESL", conflicts_with = "certificate")]
    pub db: Option<PathBuf>,
    /// The firmware's dbx, likewise; without it, nothing is forbidden
    #[arg(
        long,
        value_name = "ESL",
        requires = "db",
        conflicts_with = "certificate"
    )]
    pub dbx: Option<PathBuf>,
    /// shim's SBAT level: the verdict is that of firmware and shim
    #[arg(long, value_name = "FILE")]
    pub sbat_level: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The image
    pub file: PathBuf,
}

impl From<VerifyArguments> for VerifyPe {
    fn from(arguments: VerifyArguments) -> Self {
        Self {
            file: arguments.file,
            certificates: arguments.certificate,
            db: arguments.db,
            dbx: arguments.dbx,
            sbat_level: arguments.sbat_level,
        }
    }
}
