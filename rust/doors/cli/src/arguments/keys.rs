//! The words of `touchstone keys`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use touchstone_artifacts::keys::{Algorithm, GenerateKeys, Uuid};

#[derive(Subcommand)]
pub enum Keys {
    /// Make keys for PK, KEK and db, with certificates, signature lists and signed updates
    Generate(Generate),
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
    #[arg(long, value_parser = algorithm, default_value = "rsa2048")]
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
}

/// An algorithm by its name in requests.
fn algorithm(name: &str) -> Result<Algorithm, String> {
    let value = serde_json::Value::String(name.to_owned());
    serde_json::from_value(value)
        .map_err(|_| "it is none of rsa2048, rsa3072, rsa4096, p256, p384".to_owned())
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
        }
    }
}
