//! The words of `touchstone policy`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgGroup, Args, Subcommand};
use touchstone_artifacts::inspect::{Bank, PhasePath};
use touchstone_artifacts::policy::{
    CreatePolicy, MachineState, PcrSign, PcrSigningKey, PolicyKey, Running, ShowPolicy, SignPolicy,
    Variant,
};
use touchstone_operations::Failure;

#[derive(Subcommand)]
pub enum Policy {
    /// Make one TPM policy that admits exactly the given predictions
    Create(Box<CreateArguments>),
    /// Sign the states that a policy admits, or a UKI's values of PCR 11, for PolicyAuthorize (.pcrsig)
    Sign(Box<SignArguments>),
    /// Say what a policy or a set of signatures admits; exit status 3 when a machine is not admitted or a signature is not the key's
    Show(ShowArguments),
}

#[derive(Args)]
#[command(group = ArgGroup::new("runs"))]
pub struct CreateArguments {
    /// What is admitted: answers of `measure predict --json`, each with a name (the file's, without its ending, when none is given)
    #[arg(required = true, value_name = "[NAME=]PREDICTION")]
    pub variant: Vec<VariantArgument>,
    /// The PCRs; 11 alone is refused
    #[arg(long, value_delimiter = ',', default_value = "7,11,12,13")]
    pub pcrs: Vec<u32>,
    /// The PCRs' bank: sha256, sha384 or sha512
    #[arg(long, default_value = "sha256")]
    pub bank: Bank,
    /// The hash of the policy: sha256, sha384 or sha512
    #[arg(long, default_value = "sha256")]
    pub hash: Bank,
    /// The name of the running generation
    #[arg(long, value_name = "NAME", group = "runs")]
    pub running: Option<String>,
    /// What the running machine holds: JSON with PCR values
    #[arg(long, value_name = "FILE", group = "runs")]
    pub running_values: Option<PathBuf>,
    /// The path of phases at whose end these values were read
    #[arg(long, value_name = "PHASES", requires = "running_values")]
    pub running_phase: Option<PhasePath>,
    /// The log of the running machine's firmware
    #[arg(long, value_name = "LOG", group = "runs")]
    pub running_log: Option<PathBuf>,
    /// Make the policy without the running generation, for a machine that was never booted
    #[arg(long, group = "runs")]
    pub without_running: bool,
    /// The name of the generation that boots next, which must be among the predictions
    #[arg(long, value_name = "NAME")]
    pub next: Option<String>,
    /// The name of a generation that is kept, which must be among the predictions
    #[arg(long, value_name = "NAME")]
    pub kept: Vec<String>,
    /// Where the policy is written as well
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Where the bytes of its digest are written as well: what tpm2_create --policy takes
    #[arg(long, value_name = "FILE")]
    pub digest: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(group = ArgGroup::new("subject").required(true))]
#[command(group = ArgGroup::new("signer").required(true).multiple(true))]
pub struct SignArguments {
    /// The policy, from `policy create`: each state that it admits is signed
    #[arg(long, group = "subject")]
    pub policy: Option<PathBuf>,
    /// A unified kernel image, whose values of PCR 11 are signed as systemd-measure does
    #[arg(long, group = "subject")]
    pub uki: Option<PathBuf>,
    /// A phase path, such as enter-initrd; all of systemd's when none is given
    #[arg(long, requires = "uki")]
    pub phase: Vec<PhasePath>,
    /// A bank: sha1, sha256, sha384 or sha512; sha256 when none is given
    #[arg(long, requires = "uki")]
    pub bank: Vec<Bank>,
    /// The private key: a PEM or DER file, pkcs11:…, or tpm2:…
    #[arg(long, group = "signer")]
    pub key: Option<String>,
    /// The file whose first line is the passphrase of an encrypted key file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub passphrase_file: Option<PathBuf>,
    /// The public key or its certificate; without --key, print what is to be signed elsewhere
    #[arg(long, group = "signer")]
    pub public_key: Option<PathBuf>,
    /// The policy reference (systemd 262)
    #[arg(long, value_name = "TEXT")]
    pub policy_ref: Option<String>,
    /// Where the signatures are written
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ShowArguments {
    /// The policy, or signatures
    pub file: PathBuf,
    /// With signatures: the public key or its certificate
    #[arg(long)]
    pub public_key: Option<PathBuf>,
    /// With a policy: JSON with the PCR values of a machine
    #[arg(long, value_name = "FILE")]
    pub values: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `NAME=FILE`, or `FILE`.
#[derive(Clone)]
pub struct VariantArgument(Variant);

impl FromStr for VariantArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name.to_owned(), PathBuf::from(file)),
            None => {
                let file = PathBuf::from(text);
                let stem = file
                    .file_stem()
                    .ok_or("a prediction is given as NAME=FILE")?;
                (stem.to_string_lossy().into_owned(), file)
            }
        };
        Ok(Self(Variant {
            name,
            prediction: file,
        }))
    }
}

impl From<CreateArguments> for CreatePolicy {
    fn from(words: CreateArguments) -> Self {
        let running = Running {
            variant: words.running,
            values: words.running_values,
            phase: words.running_phase,
            event_log: words.running_log,
        };
        Self {
            variants: words.variant.into_iter().map(|variant| variant.0).collect(),
            pcrs: words.pcrs.into_iter().collect(),
            bank: words.bank,
            hash: words.hash,
            running: Some(running).filter(|running| *running != Running::default()),
            without_running: words.without_running,
            next: words.next,
            kept: words.kept,
            output: words.output,
            digest: words.digest,
        }
    }
}

impl From<SignArguments> for SignPolicy {
    fn from(words: SignArguments) -> Self {
        let (sign, public_key) = match words.key {
            Some(key) => {
                let key = PolicyKey {
                    key,
                    passphrase_file: words.passphrase_file,
                    public_key: words.public_key,
                };
                (Some(key), None)
            }
            None => (None, words.public_key),
        };
        Self {
            policy: words.policy,
            uki: words.uki,
            phases: words.phase,
            banks: words.bank,
            sign,
            public_key,
            policy_ref: words.policy_ref,
            output: words.output,
        }
    }
}

impl From<ShowArguments> for ShowPolicy {
    fn from(words: ShowArguments) -> Self {
        Self {
            file: words.file,
            public_key: words.public_key,
            machine: words.values.map(|values| MachineState {
                values: Some(values),
                ..MachineState::default()
            }),
        }
    }
}

/// Who signs a UKI's values of PCR 11, in the words of ukify.
#[derive(Args)]
pub struct OptionalPcrSign {
    /// A key that signs the image's PCR 11 values (.pcrsig): a PEM or DER file, pkcs11:…, tpm2:…, or agent:…; several sign in the order given
    #[arg(long, value_name = "KEY")]
    pub pcr_private_key: Vec<String>,
    /// The public half of each key, or its certificate; that of an only key becomes .pcrpkey
    #[arg(long, value_name = "FILE", requires = "pcr_private_key")]
    pub pcr_public_key: Vec<PathBuf>,
    /// The phase paths for which each key signs, separated by commas or blanks; all of systemd's when not given
    #[arg(long, value_name = "PHASES", requires = "pcr_private_key")]
    pub phases: Vec<Phases>,
    /// The policy reference of each key's signatures (systemd 262)
    #[arg(long, value_name = "TEXT", requires = "pcr_private_key")]
    pub policyref: Vec<String>,
    /// The banks, separated by commas or blanks; sha256 when not given (ukify: all)
    #[arg(long, value_name = "BANKS", requires = "pcr_private_key")]
    pub pcr_banks: Option<Banks>,
}

/// Phase paths, as ukify separates them.
#[derive(Clone)]
pub struct Phases(Vec<PhasePath>);

/// Banks, likewise.
#[derive(Clone)]
pub struct Banks(Vec<Bank>);

impl Phases {
    /// Each of them.
    pub fn all(self) -> Vec<PhasePath> {
        self.0
    }
}

impl Banks {
    /// Each of them.
    pub fn all(self) -> Vec<Bank> {
        self.0
    }
}

fn separated<T: FromStr<Err: ToString>>(text: &str) -> Result<Vec<T>, String> {
    text.split(|character: char| character == ',' || character.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(|word| word.parse().map_err(|error: T::Err| error.to_string()))
        .collect()
}

impl FromStr for Phases {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        separated(text).map(Self)
    }
}

impl FromStr for Banks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        separated(text).map(Self)
    }
}

impl OptionalPcrSign {
    /// Whether each list is as long as that of the keys, or empty.
    fn misfit(&self) -> Option<String> {
        let keys = self.pcr_private_key.len();
        let lists = [
            ("--pcr-public-key", self.pcr_public_key.len()),
            ("--phases", self.phases.len()),
            ("--policyref", self.policyref.len()),
        ];
        let (name, count) = lists
            .into_iter()
            .find(|(_, count)| *count != 0 && *count != keys)?;
        Some(format!(
            "{name} is given {count} times, and --pcr-private-key {keys} times"
        ))
    }

    /// Who signs, where somebody does.
    ///
    /// # Errors
    /// [`Failure`] when keys and what is said of them do not pair.
    pub fn named(self) -> Result<Option<PcrSign>, Failure> {
        if let Some(fact) = self.misfit() {
            return Err(Failure {
                code: "request.refused".to_owned(),
                what: fact,
                file: None,
                help: "give it once for each --pcr-private-key, in the same order, or not at all"
                    .to_owned(),
            });
        }
        let mut public_keys = self.pcr_public_key.into_iter();
        let mut phases = self.phases.into_iter();
        let mut references = self.policyref.into_iter();
        let keys: Vec<PcrSigningKey> = self
            .pcr_private_key
            .into_iter()
            .map(|key| PcrSigningKey {
                key: Some(key),
                signatures: None,
                passphrase_file: None,
                public_key: public_keys.next(),
                phases: phases.next().map(|phases| phases.0).unwrap_or_default(),
                policy_ref: references.next(),
            })
            .collect();
        let banks = self.pcr_banks.map(|banks| banks.0).unwrap_or_default();
        Ok((!keys.is_empty()).then_some(PcrSign { banks, keys }))
    }
}
