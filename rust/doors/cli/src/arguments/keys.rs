//! The words of `touchstone keys`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde::de::DeserializeOwned;
use touchstone_artifacts::keys::{
    Algorithm, GenerateKeys, MakeEsl, PrepareUpdate, SignUpdate, UpdateSignature, Uuid, Variable,
};
use touchstone_artifacts::signing_key::SigningKey;

use super::KeyArguments;
use super::key::HowToSign;

#[derive(Subcommand)]
pub enum Keys {
    /// Make keys for PK, KEK and db, with certificates, signature lists and signed updates
    Generate(Generate),
    /// Write signature lists (ESL) of certificates, images and digests
    Esl(Esl),
    /// Sign an update (.auth) of PK, KEK, db or dbx
    Auth(Auth),
    /// Show what certificates, signature lists, efivarfs variables and signed updates hold
    Inspect {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct Generate {
    /// The folder, which must not exist yet
    pub folder: PathBuf,
    /// Make test keys, marked as such: for tests, never for trust
    #[arg(long)]
    pub test: bool,
    /// The owner that stands beside each certificate [default: a random one]
    #[arg(long, value_name = "GUID")]
    pub owner: Option<Uuid>,
    /// Kind and size of the keys: rsa2048, rsa3072, rsa4096, p256 or p384
    #[arg(long, value_parser = named::<Algorithm>, default_value = "rsa2048")]
    pub algorithm: Algorithm,
    /// How many days the certificates are valid [default: 3650; test keys until 2050]
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,
    /// What stands before PK, KEK and db in the certificates' common names
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// The time of the updates, such as 2026-01-31T12:00:00Z [default: now; test keys 2020]
    #[arg(long)]
    pub time: Option<String>,
    /// Certificates or signature lists of Microsoft's, for db and KEK
    #[arg(long, value_name = "FILE")]
    pub microsoft: Vec<PathBuf>,
    /// What the firmware was delivered with: dbDefault-…, KEKDefault-… and dbxDefault-… of efivarfs
    #[arg(long, value_name = "FILE")]
    pub firmware_builtin: Vec<PathBuf>,
    /// The machine's event log: put the option ROMs that it ran into db
    #[arg(long, value_name = "LOG")]
    pub tpm_eventlog: Option<PathBuf>,
    /// The machine's event log: refuse when it shows option ROMs that nothing in db would allow
    #[arg(long, value_name = "LOG")]
    pub check_eventlog: Option<PathBuf>,
    /// Make keys all the same: the machine may stay dark, or not start
    #[arg(long)]
    pub allow_unverified_option_roms: bool,
    /// Print the answer, as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Esl {
    /// The owner that stands beside entries which have none yet
    #[arg(long, value_name = "GUID")]
    pub owner: Option<Uuid>,
    /// A certificate, PEM or DER
    #[arg(long = "certificate", value_name = "FILE")]
    pub certificates: Vec<PathBuf>,
    /// Certificates or signature lists of Microsoft's
    #[arg(long, value_name = "FILE")]
    pub microsoft: Vec<PathBuf>,
    /// What the firmware was delivered with: dbDefault-… or KEKDefault-… of efivarfs
    #[arg(long, value_name = "FILE")]
    pub firmware_builtin: Vec<PathBuf>,
    /// A signature list to join
    #[arg(long = "esl", value_name = "FILE")]
    pub lists: Vec<PathBuf>,
    /// A PE image, by its Authenticode digest
    #[arg(long = "image", value_name = "FILE")]
    pub images: Vec<PathBuf>,
    /// An Authenticode SHA-256 digest
    #[arg(long = "hash", value_name = "HEX")]
    pub hashes: Vec<String>,
    /// An event log: the option ROMs that the machine ran
    #[arg(long, value_name = "LOG")]
    pub tpm_eventlog: Option<PathBuf>,
    /// A certificate to revoke by the digest of its signed part, for dbx
    #[arg(long = "revoke-certificate", value_name = "FILE")]
    pub revoke_certificates: Vec<PathBuf>,
    /// From when on it is revoked, such as 2026-01-31T12:00:00Z [default: always]
    #[arg(long, value_name = "TIME", requires = "revoke_certificates")]
    pub revocation_time: Option<String>,
    /// Where the lists are written
    #[arg(long)]
    pub output: PathBuf,
    /// Print the answer, as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(group(
    ArgGroup::new("by").required(true).args(["key", "prepare_offline_signing", "signed_data_signature"])
))]
pub struct Auth {
    /// The variable: PK, KEK, db or dbx
    #[arg(long, value_parser = named::<Variable>)]
    pub variable: Variable,
    /// The signing key: a PEM or DER file, pkcs11:…, or tpm2:…
    #[arg(long, requires = "certificate")]
    pub key: Option<String>,
    /// The key's certificate: a PEM or DER file; certificates after the first are its chain
    #[arg(long)]
    pub certificate: Option<PathBuf>,
    #[command(flatten)]
    pub how: HowToSign,
    /// Do not sign, but write what is to be signed elsewhere to the output
    #[arg(long, conflicts_with_all = ["certificate", "digest", "passphrase_file"])]
    pub prepare_offline_signing: bool,
    /// The bare signature of what --prepare-offline-signing wrote for the same words, as `openssl dgst -sha256 -sign` makes it
    #[arg(
        long,
        value_name = "SIGNATURE",
        requires_all = ["certificate", "time"], conflicts_with_all = ["digest", "passphrase_file"]
    )]
    pub signed_data_signature: Option<PathBuf>,
    /// Add the entries to what the variable holds, instead of replacing it
    #[arg(long)]
    pub append: bool,
    /// The time of the update, such as 2026-01-31T12:00:00Z [default: now]
    #[arg(long)]
    pub time: Option<String>,
    /// Where the update is written
    #[arg(long)]
    pub output: PathBuf,
    /// The signature lists (ESL); an empty file removes the variable
    #[arg(value_name = "ESL")]
    pub list: PathBuf,
    /// Print the answer, as JSON
    #[arg(long)]
    pub json: bool,
}

/// A value by its name in requests.
fn named<T: DeserializeOwned>(name: &str) -> Result<T, String> {
    let value = serde_json::Value::String(name.to_owned());
    serde_json::from_value(value).map_err(|error| error.to_string())
}

impl From<Generate> for GenerateKeys {
    fn from(arguments: Generate) -> GenerateKeys {
        GenerateKeys {
            output: arguments.folder,
            test: arguments.test,
            owner: arguments.owner,
            algorithm: arguments.algorithm,
            days: arguments.days,
            name: arguments.name,
            time: arguments.time,
            microsoft: arguments.microsoft,
            firmware_builtin: arguments.firmware_builtin,
            tpm_eventlog: arguments.tpm_eventlog,
            check_eventlog: arguments.check_eventlog,
            allow_unverified_option_roms: arguments.allow_unverified_option_roms,
        }
    }
}

impl From<Esl> for MakeEsl {
    fn from(arguments: Esl) -> MakeEsl {
        MakeEsl {
            owner: arguments.owner,
            certificates: arguments.certificates,
            microsoft: arguments.microsoft,
            firmware_builtin: arguments.firmware_builtin,
            lists: arguments.lists,
            images: arguments.images,
            hashes: arguments.hashes,
            tpm_eventlog: arguments.tpm_eventlog,
            revoke_certificates: arguments.revoke_certificates,
            revocation_time: arguments.revocation_time,
            output: arguments.output,
        }
    }
}

impl From<Auth> for PrepareUpdate {
    fn from(arguments: Auth) -> PrepareUpdate {
        PrepareUpdate {
            variable: arguments.variable,
            list: arguments.list,
            append: arguments.append,
            time: arguments.time,
            output: arguments.output,
        }
    }
}

impl From<Auth> for SignUpdate {
    fn from(arguments: Auth) -> SignUpdate {
        let (certificate, how) = (arguments.certificate, arguments.how);
        let allow_expired = how.allow_expired;
        let detached = certificate.clone().zip(arguments.signed_data_signature);
        let key = arguments.key.zip(certificate);
        SignUpdate {
            variable: arguments.variable,
            list: arguments.list,
            append: arguments.append,
            time: arguments.time,
            sign: key.map(|(key, certificate)| {
                SigningKey::from(KeyArguments {
                    key,
                    certificate,
                    how,
                })
            }),
            detached: detached.map(|(certificate, signature)| UpdateSignature {
                certificate,
                signature,
                allow_expired,
            }),
            output: arguments.output,
        }
    }
}
