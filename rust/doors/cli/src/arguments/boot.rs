//! The words of `touchstone boot`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use touchstone_artifacts::boot_signatures::{RequestSignatures, RequestedPcrs, SignRequests};
use touchstone_artifacts::policy::PolicyKey;

use super::OptionalKey;
use super::key::Digest;
use super::policy::{Banks, Phases};

#[derive(Subcommand)]
pub enum Boot {
    /// Write what is to be signed elsewhere for a folder of boot artifacts
    Requests(RequestsArguments),
    /// Sign everything that a folder of requests asks for
    Sign(SignArguments),
    /// Say whether a folder of boot artifacts is what its documents say; exit status 3 when it is not
    Verify(super::VerifyArtifactsArguments),
    /// Say whether generations fit on an EFI system partition; exit status 3 when they do not
    Space(super::SpaceArguments),
}

#[derive(Args)]
#[command(group = ArgGroup::new("of").required(true))]
pub struct RequestsArguments {
    /// The certificate of the key that will sign the images: a PEM or DER file
    #[arg(long, group = "of")]
    pub certificate: Option<PathBuf>,
    /// Ask for signatures of PCR 11 (.pcrsig) in the place of those of images: the public half of the key that will sign, or its certificate
    #[arg(long, value_name = "FILE", group = "of")]
    pub pcr_public_key: Option<PathBuf>,
    /// The phase paths for which it will sign, separated by commas or blanks; all of systemd's when not given
    #[arg(long, requires = "pcr_public_key")]
    pub phases: Option<Phases>,
    /// The policy reference of its signatures (systemd 262)
    #[arg(long, value_name = "TEXT", requires = "pcr_public_key")]
    pub policyref: Option<String>,
    /// The banks, separated by commas or blanks; sha256 when not given
    #[arg(long, value_name = "BANKS", requires = "pcr_public_key")]
    pub pcr_banks: Option<Banks>,
    /// The digest of images and signatures
    #[arg(long, default_value = "sha256", requires = "certificate")]
    pub digest: Digest,
    /// Accept a certificate that is not valid today: firmware ignores dates, other verifiers do not
    #[arg(long, requires = "certificate")]
    pub allow_expired: bool,
    /// The folder to make
    #[arg(long)]
    pub output: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The folder of boot artifacts, the one with boot.json
    pub artifacts: PathBuf,
}

#[derive(Args)]
#[command(group = ArgGroup::new("by").required(true).args(["key", "pcr_private_key"]))]
pub struct SignArguments {
    #[command(flatten)]
    pub key: OptionalKey,
    /// The key that signs values of PCR 11: a PEM or DER file, pkcs11:…, or tpm2:…
    #[arg(long, value_name = "KEY")]
    pub pcr_private_key: Option<String>,
    /// Its public half, or its certificate: refused when it is another's
    #[arg(long, value_name = "FILE", requires = "pcr_private_key")]
    pub pcr_public_key: Option<PathBuf>,
    /// The file whose first line is the passphrase of its encrypted key file
    #[arg(long, value_name = "FILE", requires = "pcr_private_key")]
    pub pcr_passphrase_file: Option<PathBuf>,
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
        let (phases, banks) = (words.phases, words.pcr_banks);
        let (policy_ref, pcrs) = (words.policyref, words.pcr_public_key);
        Self {
            artifacts: words.artifacts,
            certificate: words.certificate,
            pcrs: pcrs.map(|public_key| RequestedPcrs {
                public_key,
                banks: banks.map(Banks::all).unwrap_or_default(),
                phases: phases.map(Phases::all).unwrap_or_default(),
                policy_ref,
            }),
            digest: words.digest.into(),
            allow_expired: words.allow_expired,
            output: words.output,
        }
    }
}

impl From<SignArguments> for SignRequests {
    fn from(words: SignArguments) -> Self {
        let (passphrase_file, public_key) = (words.pcr_passphrase_file, words.pcr_public_key);
        Self {
            requests: words.requests,
            sign: words.key.named(),
            sign_pcrs: words.pcr_private_key.map(|key| PolicyKey {
                key,
                passphrase_file,
                public_key,
            }),
            output: words.output,
        }
    }
}
