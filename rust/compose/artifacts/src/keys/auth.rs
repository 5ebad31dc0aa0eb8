//! `keys.auth`: signed updates of PK, KEK, db and dbx, as sign-efi-sig-list writes them.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::auth::Update;
use touchstone_sign::esl::{self, SignatureList};
use touchstone_sign::keys::is_test_key;
use touchstone_sign::{Hash, KeyKind};

use super::content::refused;
use super::facts::Entry;
use super::{Warning, efi_time, seconds, warning};
use crate::signing_key::SigningKey;
use crate::source::read_small;
use crate::{Context, Error, output};

const ROLE: &str = "signature list";
const LIMIT: u64 = 1 << 20;

/// The request of `keys.auth`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignUpdate {
    /// The variable that the update is of: the signature is good for no other.
    pub variable: Variable,
    /// The signature lists (ESL). An empty file removes the variable.
    pub list: PathBuf,
    /// Whether they are added to what the variable holds; else they replace it. The signature is good for one of the two.
    #[serde(default)]
    pub append: bool,
    /// The time of the update, such as `2026-01-31T12:00:00Z`; now by default. A build has no clock and needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Who signs: PK and KEK by the platform key, db and dbx by a key exchange key.
    pub sign: SigningKey,
    /// Where the update is written.
    pub output: PathBuf,
}

/// A variable of Secure Boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Variable {
    /// The platform key.
    PK,
    /// The key exchange keys.
    KEK,
    /// What may start.
    #[serde(rename = "db")]
    Db,
    /// What may not.
    #[serde(rename = "dbx")]
    Dbx,
}

impl From<Variable> for touchstone_sign::auth::Variable {
    fn from(variable: Variable) -> Self {
        match variable {
            Variable::PK => Self::Pk,
            Variable::KEK => Self::Kek,
            Variable::Db => Self::Db,
            Variable::Dbx => Self::Dbx,
        }
    }
}

impl From<touchstone_sign::auth::Variable> for Variable {
    fn from(variable: touchstone_sign::auth::Variable) -> Self {
        use touchstone_sign::auth::Variable as Signed;
        match variable {
            Signed::Pk => Self::PK,
            Signed::Kek => Self::KEK,
            Signed::Db => Self::Db,
            Signed::Dbx => Self::Dbx,
        }
    }
}

impl std::fmt::Display for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        touchstone_sign::auth::Variable::from(*self).fmt(f)
    }
}

/// The answer of `keys.auth`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignedUpdate {
    /// Size of the file in bytes.
    pub size: usize,
    /// The time of the update.
    pub time: String,
    /// Subject of the signer's certificate.
    pub signed_by: String,
    /// The entries.
    pub entries: Vec<Entry>,
    /// What may surprise on the machine.
    pub warnings: Vec<Warning>,
}

impl SignUpdate {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<SignedUpdate, Error> {
        let time = seconds(self.time.as_deref(), context.now)?;
        let time = efi_time(time)?;
        let bytes = read_small(ROLE, &self.list, LIMIT)?;
        let lists = self.lists(&bytes)?;
        let key = self.sign.open(context)?;
        if key.hash != Hash::Sha256 {
            return Err(Error::Request {
                fact: format!("an update is signed over SHA-256, not {}", key.hash),
                help: "leave the digest out",
            });
        }
        context.progress.phase("signing");
        let update = Update {
            variable: self.variable.into(),
            append: self.append,
            time,
            lists: &bytes,
        };
        let signed = update.sign(&key.signer).map_err(|source| Error::Sign {
            file: self.list.clone(),
            source,
        })?;
        output::bytes(&self.output, &signed)?;

        let mut warnings = warning::of_lists(&lists, context.now);
        if lists.is_empty() {
            warnings.push(Warning::removal(self.variable.into()));
        }
        if key.signer.kind() != KeyKind::Rsa {
            warnings.push(Warning::elliptic_curve(
                "it is signed by an elliptic curve key",
            ));
        }
        if is_test_key(key.signer.certificate()) {
            warnings.push(Warning::test_keys());
        }
        Ok(SignedUpdate {
            size: signed.len(),
            time: time.to_string(),
            signed_by: touchstone_sign::certificate::subject(key.signer.certificate()),
            entries: Entry::of(&lists),
            warnings: warning::each_once(warnings),
        })
    }

    /// The lists, when firmware would take them for this variable.
    fn lists(&self, bytes: &[u8]) -> Result<Vec<SignatureList>, Error> {
        let path: &Path = &self.list;
        let lists = esl::parse(bytes).map_err(|error| refused(ROLE, path, error.to_string()))?;
        let entries = lists
            .iter()
            .map(|list| list.signatures.len())
            .sum::<usize>();
        match (self.variable, entries) {
            (_, 0) if self.append => Err(refused(ROLE, path, "there is nothing in it to append")),
            (Variable::PK, 2..) => Err(refused(
                ROLE,
                path,
                format!("it has {entries} entries, and there can be only one platform key"),
            )),
            _ => Ok(lists),
        }
    }
}
