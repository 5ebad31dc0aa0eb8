//! `keys.generate`: new keys for PK, KEK and db, ready to be enrolled. The one operation whose answer is random.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::auth::{EfiTime, Update, Variable};
use touchstone_sign::keys::{self, KeyAlgorithm, KeyRequest, NewKey, TEST_KEY_MARK};
use touchstone_sign::{CertifiedSigner, FileSigner, certificate, esl};
use uuid::Uuid;

use super::{OWNER, Warning, seconds};
use crate::signing_key::KeyPolicy;
use crate::{Context, Error, output};

/// The validity of a test key, 2020-01-01 and 2050-01-01: firmware ignores the dates, other verifiers want to be within them.
const TEST_VALIDITY: (u64, u64) = (1_577_836_800, 2_524_608_000);
/// How long other keys are valid, in days, where nothing else is asked for.
const DAYS: u32 = 3650;
const SECONDS_A_DAY: u64 = 86_400;

/// The request of `keys.generate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GenerateKeys {
    /// The folder to make, with `PK`, `KEK` and `db`, each as `.key` (private), `.pem` (certificate), `.esl` (signature list) and
    /// `.auth` (signed update), and with `PK-remove.auth`, which takes the platform key away again.
    pub output: PathBuf,
    /// Whether they are test keys, marked as such: the only ones that a build may make.
    #[serde(default)]
    pub test: bool,
    /// The owner that stands beside each certificate in the signature lists; a random one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub owner: Option<Uuid>,
    /// Kind and size of the keys.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// How many days the certificates are valid (firmware ignores it): 3650 by default, test keys until 2050.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
    /// What stands before `PK`, `KEK` and `db` in the certificates' common names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The time of the updates and the beginning of the certificates' validity, such as `2026-01-31T12:00:00Z`: now by default, for
    /// test keys 2020-01-01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// Kind and size of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RSA of 2048 bits: what every firmware verifies.
    #[default]
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
    /// ECDSA on P-256, which some firmware does not verify.
    P256,
    /// ECDSA on P-384, which some firmware does not verify.
    P384,
}

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rsa2048 => Self::Rsa2048,
            Algorithm::Rsa3072 => Self::Rsa3072,
            Algorithm::Rsa4096 => Self::Rsa4096,
            Algorithm::P256 => Self::P256,
            Algorithm::P384 => Self::P384,
        }
    }
}

/// The answer of `keys.generate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedKeys {
    /// The organizational unit by which every certificate is marked, of test keys.
    pub mark: Option<&'static str>,
    /// The owner beside each of the certificates.
    pub owner: String,
    /// The time of the updates.
    pub time: String,
    /// The variables that keys were made for.
    pub variables: Vec<String>,
    /// What may surprise on the machine.
    pub warnings: Vec<Warning>,
}

/// What all keys of one run have in common.
struct Terms {
    owner: Uuid,
    time: EfiTime,
    validity: (u64, u64),
}

/// One variable's key.
struct Made {
    variable: Variable,
    key: NewKey,
    signer: CertifiedSigner,
    list: Vec<u8>,
}

impl GenerateKeys {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Request`] when the keys are not for tests and this is a build, or when there is no time; [`Error::Exists`] when the
    /// folder is there already; [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<GeneratedKeys, Error> {
        if !self.test && context.keys == KeyPolicy::TestKeysOnly {
            return Err(Error::Request {
                fact: "a private key must not be made in a Nix build: everybody who can read the store could sign with it".to_owned(),
                help: "run `touchstone keys generate` outside of the build, or ask for test keys (`test`)",
            });
        }
        let terms = self.terms(context)?;
        output::folder(&self.output, |folder| {
            let made = |variable| {
                context
                    .progress
                    .phase(&format!("making the {variable} key"));
                self.make(variable, &terms)
            };
            let [platform, exchange, allowed] = [
                made(Variable::Pk)?,
                made(Variable::Kek)?,
                made(Variable::Db)?,
            ];
            for (made, signer) in [
                (&platform, &platform),
                (&exchange, &platform),
                (&allowed, &exchange),
            ] {
                made.write(folder, signer, terms.time)?;
            }
            let removal = signed(Variable::Pk, terms.time, &[], &platform)?;
            output::bytes(&folder.join("PK-remove.auth"), &removal)?;
            Ok(GeneratedKeys {
                mark: self.test.then_some(TEST_KEY_MARK),
                owner: terms.owner.to_string(),
                time: terms.time.to_string(),
                variables: [&platform, &exchange, &allowed]
                    .map(|made| made.variable.to_string())
                    .to_vec(),
                warnings: self.warnings(),
            })
        })
    }

    fn terms(&self, context: &Context<'_>) -> Result<Terms, Error> {
        let default = if self.test {
            Some(TEST_VALIDITY.0)
        } else {
            context.now
        };
        let from = seconds(self.time.as_deref(), default)?;
        let days = |days: u32| u64::from(days).saturating_mul(SECONDS_A_DAY);
        let to = match self.days {
            None if self.test => TEST_VALIDITY.1,
            chosen => from.saturating_add(days(chosen.unwrap_or(DAYS))),
        };
        Ok(Terms {
            owner: self.owner.unwrap_or_else(|| match self.test {
                true => OWNER,
                false => keys::random_owner(),
            }),
            time: EfiTime::from_unix(from).map_err(|error| refused("", &error))?,
            validity: (from, to),
        })
    }

    fn make(&self, variable: Variable, terms: &Terms) -> Result<Made, Error> {
        let name = match &self.name {
            Some(name) => format!("{name} {variable}"),
            None => variable.to_string(),
        };
        let refused = |error: &dyn std::fmt::Display| refused(&name, error);
        let key = keys::generate(&KeyRequest {
            common_name: &name,
            algorithm: self.algorithm.into(),
            not_before: terms.validity.0,
            not_after: terms.validity.1,
            test: self.test,
        })
        .map_err(|error| refused(&error))?;
        let certificate =
            certificate::read(key.certificate_pem.as_bytes()).map_err(|error| refused(&error))?;
        let list = esl::of_certificates(terms.owner, std::slice::from_ref(&certificate))
            .map_err(|error| refused(&error))?;
        let signer = FileSigner::new(key.key_pem.as_bytes())
            .and_then(|holder| CertifiedSigner::new(Box::new(holder), vec![certificate]))
            .map_err(|error| refused(&error))?;
        Ok(Made {
            variable,
            key,
            signer,
            list,
        })
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.test {
            warnings.push(Warning::test_keys());
        }
        if matches!(self.algorithm, Algorithm::P256 | Algorithm::P384) {
            warnings.push(Warning::elliptic_curve("these are elliptic curve keys"));
        }
        warnings
    }
}

impl Made {
    /// Writes key, certificate, list and update, the last signed by `signer`.
    fn write(&self, folder: &Path, signer: &Made, time: EfiTime) -> Result<(), Error> {
        let path = |extension: &str| folder.join(format!("{}.{extension}", self.variable));
        let update = signed(self.variable, time, &self.list, signer)?;
        write_private(&path("key"), self.key.key_pem.as_bytes())?;
        output::bytes(&path("pem"), self.key.certificate_pem.as_bytes())?;
        output::bytes(&path("esl"), &self.list)?;
        output::bytes(&path("auth"), &update)
    }
}

fn signed(
    variable: Variable,
    time: EfiTime,
    lists: &[u8],
    signer: &Made,
) -> Result<Vec<u8>, Error> {
    let update = Update {
        variable,
        append: false,
        time,
        lists,
    };
    update
        .sign(&signer.signer)
        .map_err(|error| refused(variable.name(), &error))
}

fn refused(key: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Key {
        key: key.to_owned(),
        fact: error.to_string(),
        help: "ask for a name of 1 to 60 characters and a validity that ends before the year 10000",
    }
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write {
        file: path.to_owned(),
        source,
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    std::io::Write::write_all(&mut file, bytes).map_err(failed)
}
