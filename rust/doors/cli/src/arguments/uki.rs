//! The words of `touchstone uki`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_artifacts::inspect::{Bank, PhasePath};
use touchstone_artifacts::uki::Ukify;

use super::OptionalKey;
use super::policy::OptionalPcrSign;
use super::text::{SectionArgument, TextArgument};

#[derive(Subcommand)]
pub enum Uki {
    /// Assemble a unified kernel image, and sign it if a key is given
    Build(Box<UkiBuild>),
    /// Show sections, digests, SBAT, signers and PCR 11 of a unified kernel image, an addon or any other PE image
    Inspect {
        /// The image
        file: PathBuf,
        /// A bank: sha1, sha256, sha384 or sha512; sha256 when none is given
        #[arg(long)]
        bank: Vec<Bank>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what differs between two images; exit status 3 if anything does
    Diff {
        /// The image to compare with
        a: PathBuf,
        /// The image that is compared
        b: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct UkiBuild {
    /// The systemd stub (linux….efi.stub; addon….efi.stub for an addon or a profile)
    #[arg(long)]
    pub stub: PathBuf,
    /// The kernel; without it, the image is an addon
    #[arg(long)]
    pub linux: Option<PathBuf>,
    /// An initrd; several are joined in the order given
    #[arg(long)]
    pub initrd: Vec<PathBuf>,
    /// Add the initrd by which stage 1 verifies the system that the command line names, with the signed manifest where one is given
    #[arg(long, value_name = "MANIFEST", num_args = 0..=1, require_equals = true)]
    pub verify: Option<Option<PathBuf>>,
    /// The kernel command line
    #[arg(long, value_name = "TEXT|@FILE")]
    pub cmdline: Option<TextArgument>,
    /// The os-release text
    #[arg(long, value_name = "TEXT|@FILE")]
    pub os_release: Option<TextArgument>,
    /// The kernel's release; read from the kernel when not given
    #[arg(long)]
    pub uname: Option<String>,
    /// SBAT entries, merged with the stub's and the kernel's
    #[arg(long, value_name = "TEXT|@FILE")]
    pub sbat: Vec<TextArgument>,
    /// A boot splash (BMP)
    #[arg(long)]
    pub splash: Option<PathBuf>,
    /// A microcode archive
    #[arg(long)]
    pub ucode: Option<PathBuf>,
    /// A device tree
    #[arg(long)]
    pub dtb: Option<PathBuf>,
    /// A device tree that the stub may choose; several are tried in the order given
    #[arg(long)]
    pub dtbauto: Vec<PathBuf>,
    /// A folder of JSON files, each of which describes a device by its hardware IDs
    #[arg(long, value_name = "DIR")]
    pub hwids: Option<PathBuf>,
    /// A folder with one firmware image, whose name becomes the firmware's ID
    #[arg(long, value_name = "DIR")]
    pub efifw: Vec<PathBuf>,
    /// The public key for PCR signatures
    #[arg(long)]
    pub pcrpkey: Option<PathBuf>,
    /// The signatures of PCR 11 values (JSON), made elsewhere
    #[arg(long, value_name = "TEXT|@FILE")]
    pub pcrsig: Option<TextArgument>,
    /// The profile text: alone it makes a profile to be joined, beside --join-profile it describes the UKI itself
    #[arg(long, value_name = "TEXT|@FILE")]
    pub profile: Option<TextArgument>,
    /// An image with a profile, joined to this UKI; several in the order given
    #[arg(long, value_name = "FILE")]
    pub join_profile: Vec<PathBuf>,
    /// An additional section
    #[arg(long, value_name = "NAME:TEXT|NAME:@FILE")]
    pub section: Vec<SectionArgument>,
    /// The ukify release whose byte rules are followed
    #[arg(long, default_value = "262", value_parser = release)]
    pub compat: Ukify,
    /// Write the header's CheckSum, which firmware ignores and ukify leaves zero
    #[arg(long)]
    pub checksum: bool,
    #[command(flatten)]
    pub key: OptionalKey,
    #[command(flatten)]
    pub pcr_sign: OptionalPcrSign,
    #[command(flatten)]
    pub pcr11: OptionalPcr11,
    /// Where the image is written
    #[arg(long)]
    pub output: PathBuf,
}

#[derive(Args)]
pub struct OptionalPcr11 {
    /// Print the image's PCR 11 values too, computed while it is written
    #[arg(long)]
    pub measure: bool,
    /// A phase path, such as enter-initrd:leave-initrd; all of systemd's when none is given
    #[arg(long, requires = "measure")]
    pub phase: Vec<PhasePath>,
    /// A bank: sha1, sha256, sha384 or sha512; sha256 when none is given
    #[arg(long, requires = "measure")]
    pub bank: Vec<Bank>,
    /// Print the whole answer as JSON: digest, size, signer, PCR values
    #[arg(long)]
    pub json: bool,
}

fn release(text: &str) -> Result<Ukify, String> {
    let number: u32 = text
        .parse()
        .map_err(|_| "a release is a number, such as 262")?;
    number.try_into()
}
