//! `keys.generate`: new keys for PK, KEK and db, ready to be enrolled. The one operation whose answer is random.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::auth::Variable as Signed;
use touchstone_sign::esl::SignatureList;
use touchstone_sign::keys::{KeyAlgorithm, TEST_KEY_MARK, random_owner};
use uuid::Uuid;

use super::foreign::{self, Foreign};
use super::make::{Made, Terms, Writer};
use super::option_roms::{self, OptionRom, digests};
use super::{OWNER, Variable, Warning, efi_time, seconds, warning};
use crate::signing_key::KeyPolicy;
use crate::{Context, Error, Files, output};

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
    /// `.auth` (signed update), and with `PK-remove.auth`, which takes the platform key away again and is a second newer.
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
    /// Microsoft's certificates or lists, for db and KEK: those whose subject names a key exchange key go into KEK.
    #[serde(default)]
    pub microsoft: Vec<PathBuf>,
    /// What the firmware was delivered with: the files `dbDefault-…`, `KEKDefault-…` and `dbxDefault-…` of efivarfs, or copies.
    #[serde(default)]
    pub firmware_builtin: Vec<PathBuf>,
    /// The event log of the machine that is to enrol the keys: the option ROMs that it ran are put into db, by their digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm_eventlog: Option<PathBuf>,
    /// Such an event log, to be looked at only: keys are refused when it shows option ROMs that nothing in db would allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_eventlog: Option<PathBuf>,
    /// Whether keys are made although such option ROMs will not run: the machine may stay dark, or not start.
    #[serde(default)]
    pub allow_unverified_option_roms: bool,
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
    pub variables: Vec<Variable>,
    /// The option ROMs that were put into db.
    pub option_roms: Vec<OptionRom>,
    /// What may surprise on the machine.
    pub warnings: Vec<Warning>,
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
        let foreign = Foreign::read(
            context.files,
            &self.microsoft,
            &self.firmware_builtin,
            terms.owner,
        )?;
        let roms = self.option_roms(context.files, &foreign)?;
        output::folder(context.files, &self.output, |folder| {
            let made = |variable: Signed| {
                context
                    .progress
                    .phase(&format!("making the {variable} key"));
                Made::new(variable, &terms)
            };
            let (platform, exchange) = (made(Signed::Pk)?, made(Signed::Kek)?);
            let allowed = made(Signed::Db)?;
            let write = Writer {
                folder,
                time: terms.time,
            };
            let listed = SignatureList::of_sha256(terms.owner, &digests(&roms.listed));
            write.key(&platform, &platform, Vec::new())?;
            write.key(&exchange, &platform, foreign.kek.clone())?;
            write.key(
                &allowed,
                &exchange,
                foreign.db.iter().cloned().chain(listed).collect(),
            )?;
            let removal = Writer {
                folder,
                time: terms.removal,
            };
            removal.update("PK-remove", Signed::Pk, &[], &platform)?;
            let mut variables = vec![Variable::PK, Variable::KEK, Variable::Db];
            if !foreign.dbx.is_empty() {
                write.lists(Signed::Dbx, foreign.dbx.clone(), &exchange)?;
                variables.push(Variable::Dbx);
            }
            Ok(GeneratedKeys {
                mark: self.test.then_some(TEST_KEY_MARK),
                owner: terms.owner.to_string(),
                time: terms.time.to_string(),
                variables,
                warnings: self.warnings(&foreign, &roms, context.now),
                option_roms: roms.listed,
            })
        })
    }

    /// The option ROMs of both event logs.
    ///
    /// # Errors
    /// [`Error::EventLog`]; [`Error::Request`] when db would allow none of those that a machine needs, unless that is asked for.
    fn option_roms(&self, files: &dyn Files, foreign: &Foreign) -> Result<OptionRoms, Error> {
        let listed = match &self.tpm_eventlog {
            Some(log) => option_roms::read(files, log)?,
            None => Vec::new(),
        };
        let mut unlisted = match &self.check_eventlog {
            Some(log) => option_roms::read(files, log)?,
            None => Vec::new(),
        };
        let by_digest = foreign::digests(&foreign.db);
        unlisted.retain(|rom| !listed.contains(rom) && !by_digest.contains(&rom.digest));
        let signed = foreign::may_sign_option_roms(&foreign.db);
        if !unlisted.is_empty() && !signed && !self.allow_unverified_option_roms {
            return Err(Error::Request {
                fact: format!(
                    "with these keys the machine may stay dark or not start: nothing in db allows {}",
                    warning::listed(&unlisted)
                ),
                help: "add `--tpm-eventlog LOG` or `--microsoft`, or take the risk with `--allow-unverified-option-roms`",
            });
        }
        Ok(OptionRoms {
            listed,
            unlisted,
            signed,
        })
    }

    fn terms(&self, context: &Context<'_>) -> Result<Terms, Error> {
        let default = match self.test {
            true => Some(TEST_VALIDITY.0),
            false => context.now,
        };
        let from = seconds(self.time.as_deref(), default)?;
        let to = match self.days {
            None if self.test => TEST_VALIDITY.1,
            days => {
                from.saturating_add(u64::from(days.unwrap_or(DAYS)).saturating_mul(SECONDS_A_DAY))
            }
        };
        Ok(Terms {
            owner: self.owner.unwrap_or_else(|| match self.test {
                true => OWNER,
                false => random_owner(),
            }),
            time: efi_time(from)?,
            // EDK II takes an update that is newer than the variable, and none of the same second.
            removal: efi_time(from.saturating_add(1))?,
            validity: (from, to),
            algorithm: self.algorithm.into(),
            test: self.test,
            name: self.name.clone(),
        })
    }

    fn warnings(&self, foreign: &Foreign, roms: &OptionRoms, now: Option<u64>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        if self.test {
            warnings.push(Warning::test_keys());
        }
        if matches!(self.algorithm, Algorithm::P256 | Algorithm::P384) {
            warnings.push(Warning::elliptic_curve("these are elliptic curve keys"));
        }
        if foreign.db.is_empty() && self.tpm_eventlog.is_none() {
            warnings.push(Warning::own_keys_only());
        }
        if !foreign::has_microsoft(&foreign.kek) {
            warnings.push(Warning::no_microsoft_kek());
        }
        if !roms.unlisted.is_empty() {
            warnings.push(match roms.signed {
                true => Warning::option_roms_by_certificate(&roms.unlisted),
                false => Warning::unverified_option_roms(&roms.unlisted),
            });
        }
        for lists in [&foreign.kek, &foreign.db] {
            warnings.extend(warning::of_lists(lists, now));
        }
        warning::each_once(warnings)
    }
}

/// What event logs say of option ROMs.
struct OptionRoms {
    /// Those that go into db.
    listed: Vec<OptionRom>,
    /// Those that the machine ran and db does not list.
    unlisted: Vec<OptionRom>,
    /// Whether db has certificates that may have signed the unlisted.
    signed: bool,
}
