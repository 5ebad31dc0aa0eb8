//! `keys.inspect`: what certificates, signature lists, variables and signed updates hold.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_sign::auth;

use super::auth::Variable;
use super::content::Content;
use super::facts::{CertificateFacts, Entry};
use crate::{Context, Error, Files};

/// The request of `keys.inspect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InspectKeys {
    /// Certificates (PEM or DER), signature lists (ESL), variables as efivarfs shows them, or signed updates (.auth).
    pub files: Vec<PathBuf>,
}

/// The answer of `keys.inspect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectedKeys {
    /// What each of the files holds.
    pub files: Vec<InspectedFile>,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectedFile {
    /// The file.
    pub file: PathBuf,
    /// Which form it has.
    pub form: Form,
    /// The variable's attributes, where they stand before its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<u32>,
    /// The certificates of a certificate file.
    pub certificates: Vec<CertificateFacts>,
    /// The entries of the signature lists.
    pub entries: Vec<Entry>,
    /// Who signed the update, and for what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<InspectedUpdate>,
}

/// A form that a file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Certificates, PEM or DER.
    Certificate,
    /// Signature lists (ESL).
    SignatureLists,
    /// A variable as efivarfs shows it.
    Variable,
    /// A signed update (.auth).
    Update,
}

/// Who signed an update, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectedUpdate {
    /// The time of the update.
    pub time: String,
    /// The signer's certificate. Whether a machine trusts it is not asked here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<CertificateFacts>,
    /// The variable that the signature is good for; none when it is bad for all.
    pub variable: Option<Variable>,
    /// Whether it is good for appending (else for replacing).
    pub append: bool,
    /// Why the signature is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl InspectKeys {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], or [`Error::SignatureData`] when a file has none of the forms.
    pub fn run(&self, context: &Context<'_>) -> Result<InspectedKeys, Error> {
        let files = self.files.iter().map(|path| file(context.files, path));
        Ok(InspectedKeys {
            files: files.collect::<Result<_, _>>()?,
        })
    }
}

fn file(files: &dyn Files, path: &Path) -> Result<InspectedFile, Error> {
    let empty = InspectedFile {
        file: path.to_owned(),
        form: Form::SignatureLists,
        attributes: None,
        certificates: Vec::new(),
        entries: Vec::new(),
        update: None,
    };
    Ok(match Content::read(files, "file", path)? {
        Content::Certificates(certificates) => InspectedFile {
            form: Form::Certificate,
            certificates: certificates
                .iter()
                .filter_map(CertificateFacts::of)
                .collect(),
            ..empty
        },
        Content::Lists { attributes, lists } => InspectedFile {
            form: match attributes {
                Some(_) => Form::Variable,
                None => Form::SignatureLists,
            },
            attributes,
            entries: Entry::of(&lists),
            ..empty
        },
        Content::Update {
            attributes,
            update,
            lists,
        } => InspectedFile {
            form: Form::Update,
            attributes,
            entries: Entry::of(&lists),
            update: Some(InspectedUpdate::of(&update)),
            ..empty
        },
    })
}

impl InspectedUpdate {
    fn of(update: &auth::SignedUpdate) -> Self {
        let signer = update.signer().ok();
        let (found, problem) = match update.variable() {
            Ok(Some(found)) => (Some(found), None),
            Ok(None) => (
                None,
                Some("the signature is good for none of PK, KEK, db and dbx".to_owned()),
            ),
            Err(error) => (None, Some(error.to_string())),
        };
        Self {
            time: update.time.to_string(),
            signer: signer.as_ref().and_then(CertificateFacts::of),
            variable: found.map(|(variable, _)| variable.into()),
            append: found.is_some_and(|(_, append)| append),
            problem,
        }
    }
}
