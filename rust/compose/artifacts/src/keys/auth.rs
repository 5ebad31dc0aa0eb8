//! `keys.auth` and `keys.prepare`: signed updates of PK, KEK, db and dbx, as sign-efi-sig-list writes them, in one step or in two.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::auth::Update;
use touchstone_sign::authenticode::detached::DetachedError;
use touchstone_sign::certificate::subject;
use touchstone_sign::esl::{self, SignatureList};
use touchstone_sign::keys::is_test_key;
use touchstone_sign::{Certificate, Hash, KeyKind, PublicKey};

use super::content::refused;
use super::facts::Entry;
use super::{Warning, efi_time, seconds, warning};
use crate::signing_key::{SigningKey, check_validity, read_certificates};
use crate::source::read_small;
use crate::{Context, Error, Files, output};

const ROLE: &str = "signature list";
const LIMIT: u64 = 1 << 20;

/// The request of `keys.auth`: by a key, `sign`, or with a signature that was made elsewhere, `detached`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(extend("oneOf" = [{ "required": ["sign"] }, { "required": ["detached"] }]))]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<SigningKey>,
    /// A signature that was made elsewhere, of what `keys.prepare` wrote for the same variable, list, kind of write and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detached: Option<UpdateSignature>,
    /// Where the update is written.
    pub output: PathBuf,
}

/// A signature of an update that was made elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpdateSignature {
    /// The certificate of the key that signed, a PEM or DER file. Certificates after the first go into the update as its chain.
    pub certificate: PathBuf,
    /// The bare signature, by SHA-256: raw for RSA (PKCS#1 v1.5), DER for ECDSA, as `openssl dgst -sha256 -sign` writes them.
    pub signature: PathBuf,
    /// Whether a certificate that is not valid today may sign.
    #[serde(default)]
    pub allow_expired: bool,
}

/// The request of `keys.prepare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PrepareUpdate {
    /// The variable that the update is of.
    pub variable: Variable,
    /// The signature lists (ESL). An empty file removes the variable.
    pub list: PathBuf,
    /// Whether they are added to what the variable holds; else they replace it.
    #[serde(default)]
    pub append: bool,
    /// The time of the update; now by default. The update is later made with the time that the answer names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Where the bytes to be signed are written: what `sign-efi-sig-list -o` writes.
    pub output: PathBuf,
}

/// The answer of `keys.prepare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreparedUpdate {
    /// The time of the update, to be given again.
    pub time: String,
    /// The entries.
    pub entries: Vec<Entry>,
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
        let value = Value::read(context.files, self.variable, &self.list, self.append)?;
        let update = value.update(self.time.as_deref(), context)?;
        let (signed, signer) = match (&self.sign, &self.detached) {
            (Some(key), None) => self.sign(&update, key, context)?,
            (None, Some(signature)) => signature.attach(&update, context)?,
            _ => {
                return Err(Error::Request {
                    fact: "it must have one of `sign` and `detached`".to_owned(),
                    help: "name a key, or a signature that was made elsewhere",
                });
            }
        };
        output::bytes(context.files, &self.output, &signed)?;
        Ok(SignedUpdate {
            size: signed.len(),
            time: update.time.to_string(),
            signed_by: subject(&signer),
            entries: Entry::of(&value.lists),
            warnings: value.warnings(&signer, context),
        })
    }

    fn sign(
        &self,
        update: &Update<'_>,
        key: &SigningKey,
        context: &Context<'_>,
    ) -> Result<(Vec<u8>, Certificate), Error> {
        let key = key.open(context)?;
        if key.hash != Hash::Sha256 {
            return Err(Error::Request {
                fact: format!("an update is signed over SHA-256, not {}", key.hash),
                help: "leave the digest out",
            });
        }
        context.progress.phase("signing");
        let signed = update.sign(&key.signer).map_err(|source| Error::Sign {
            file: self.list.clone(),
            source,
        })?;
        Ok((signed, key.signer.certificate().clone()))
    }
}

impl UpdateSignature {
    fn attach(
        &self,
        update: &Update<'_>,
        context: &Context<'_>,
    ) -> Result<(Vec<u8>, Certificate), Error> {
        let failed = |source| Error::Signer {
            key: self.certificate.display().to_string(),
            source,
        };
        let certificates = read_certificates(context.files, &self.certificate)?;
        let Some(signer) = certificates.first() else {
            return Err(refused(ROLE, &self.certificate, "it holds no certificate"));
        };
        check_validity(signer, self.allow_expired, context).map_err(failed)?;
        let signature = read_small(context.files, "detached signature", &self.signature, LIMIT)?;
        let signed = update.attach(&certificates, signature);
        let signed = signed.map_err(|error| match error {
            DetachedError::Sign(source) => failed(source),
            source => Error::Detached {
                file: self.signature.clone(),
                source,
            },
        })?;
        Ok((signed, signer.clone()))
    }
}

impl PrepareUpdate {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<PreparedUpdate, Error> {
        let value = Value::read(context.files, self.variable, &self.list, self.append)?;
        let update = value.update(self.time.as_deref(), context)?;
        output::bytes(context.files, &self.output, &update.to_be_signed())?;
        Ok(PreparedUpdate {
            time: update.time.to_string(),
            entries: Entry::of(&value.lists),
        })
    }
}

/// The new value of a variable.
struct Value {
    variable: Variable,
    append: bool,
    bytes: Vec<u8>,
    lists: Vec<SignatureList>,
}

impl Value {
    /// Reads lists that firmware would take for this variable.
    fn read(
        files: &dyn Files,
        variable: Variable,
        path: &Path,
        append: bool,
    ) -> Result<Self, Error> {
        let bytes = read_small(files, ROLE, path, LIMIT)?;
        let refused = |fact: String| refused(ROLE, path, fact);
        let lists = esl::parse(&bytes).map_err(|error| refused(error.to_string()))?;
        let entries = lists
            .iter()
            .map(|list| list.signatures.len())
            .sum::<usize>();
        match (variable, entries) {
            (_, 0) if append => Err(refused("there is nothing in it to append".to_owned())),
            (Variable::PK, 2..) => Err(refused(format!(
                "it has {entries} entries, and there can be only one platform key"
            ))),
            _ => Ok(Self {
                variable,
                append,
                bytes,
                lists,
            }),
        }
    }

    fn update(&self, time: Option<&str>, context: &Context<'_>) -> Result<Update<'_>, Error> {
        Ok(Update {
            variable: self.variable.into(),
            append: self.append,
            time: efi_time(seconds(time, context.now)?)?,
            lists: &self.bytes,
        })
    }

    fn warnings(&self, signer: &Certificate, context: &Context<'_>) -> Vec<Warning> {
        let mut warnings = warning::of_lists(&self.lists, context.now);
        if self.lists.is_empty() {
            warnings.push(Warning::removal(self.variable.into()));
        }
        if PublicKey::of(signer).is_ok_and(|key| key.kind() != KeyKind::Rsa) {
            let what = "it is signed by an elliptic curve key";
            warnings.push(Warning::elliptic_curve(what));
        }
        if is_test_key(signer) {
            warnings.push(Warning::test_keys());
        }
        warning::each_once(warnings)
    }
}
