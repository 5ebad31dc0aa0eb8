//! `reference.create`: what all kept generations will measure, as one document for verifiers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use touchstone_measure::Bank;
use touchstone_measure::reference::keylime::{self, Policy};
use touchstone_measure::reference::{Reference, ReferenceError, Selection};

use super::{KeptGeneration, counts, json, predictions};
use crate::output::STAGED;
use crate::{Context, Error, Files, output};

/// The request of `reference.create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreateReference {
    /// The generations that are kept.
    pub generations: Vec<KeptGeneration>,
    /// The registers; those of the first prediction when not given.
    pub pcrs: Option<Vec<u32>>,
    /// The banks; those of the first prediction when not given.
    pub banks: Option<Vec<Bank>>,
    /// The form of the document.
    #[serde(default)]
    pub format: ReferenceFormat,
    /// Whether the document keeps the measurements that make each value, so that comparisons can explain themselves; of the form
    /// `touchstone` only.
    #[serde(default)]
    pub measurements: bool,
    /// Accepts that Keylime admits mixtures of generations; of its forms only.
    #[serde(default)]
    pub mixtures: bool,
    /// Makes a folder with a policy for each generation, which admits no mixtures; of Keylime's forms only.
    #[serde(default)]
    pub split: bool,
    /// The document, or the folder.
    pub output: PathBuf,
}

/// The form of a reference document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceFormat {
    /// Touchstone's own: each generation by name, with the values that belong together.
    #[default]
    Touchstone,
    /// What `keylime_tenant --tpm_policy` takes: register → values.
    Keylime,
    /// What Keylime's verifier takes as `tpm_policy`: the same with the register mask.
    KeylimeVerifier,
}

/// The answer of `reference.create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedReference {
    /// The generations and specialisations, by name.
    pub generations: Vec<String>,
    /// How many outcomes these have together.
    pub leaves: usize,
    /// The banks.
    pub banks: Vec<Bank>,
    /// PCR → how many values are admitted in a bank.
    pub values: BTreeMap<u32, usize>,
    /// The policies in the folder, by file name; absent where one document was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

impl CreateReference {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Reference`] when a prediction cannot be relied on or Keylime would admit mixtures; [`Error::Open`], [`Error::Text`],
    /// [`Error::Request`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<CreatedReference, Error> {
        self.check()?;
        context.progress.phase("collecting predictions");
        let selection = Selection {
            pcrs: self.pcrs.clone(),
            banks: self.banks.clone(),
            explained: self.measurements,
        };
        let reference = Reference::of(&predictions(context.files, &self.generations)?, &selection)
            .map_err(refused)?;
        let files = match self.format {
            ReferenceFormat::Touchstone => {
                output::bytes(context.files, &self.output, &json(&reference)?)?;
                Vec::new()
            }
            _ if self.split => self.policies(context.files, &reference)?,
            _ => {
                let policy = keylime::policy(&reference, self.mixtures).map_err(refused)?;
                output::bytes(context.files, &self.output, &json(&self.policy(&policy))?)?;
                Vec::new()
            }
        };
        let generations = reference.generations.iter();
        Ok(CreatedReference {
            generations: generations
                .map(|generation| generation.name.clone())
                .collect(),
            leaves: reference.leaves().count(),
            banks: reference.banks.clone(),
            values: counts(&one_bank(&reference)),
            files,
        })
    }

    fn check(&self) -> Result<(), Error> {
        let keylime = self.format != ReferenceFormat::Touchstone;
        let refuse = |fact: &str, help| {
            Err(Error::Request {
                fact: fact.to_owned(),
                help,
            })
        };
        if self.measurements && keylime {
            return refuse(
                "Keylime's policies have no place for measurements",
                "leave `measurements` out, or use the format touchstone",
            );
        }
        if (self.mixtures || self.split) && !keylime {
            return refuse(
                "`mixtures` and `split` are about Keylime, and the format is touchstone",
                "leave them out: Touchstone's own document admits no mixtures",
            );
        }
        if self.mixtures && self.split {
            return refuse(
                "`split` makes policies without mixtures, and `mixtures` accepts them",
                "choose one",
            );
        }
        Ok(())
    }

    fn policies(&self, files: &dyn Files, reference: &Reference) -> Result<Vec<String>, Error> {
        let policies = keylime::split(reference).map_err(refused)?;
        output::folder(files, &self.output, |folder: &Path| {
            let mut named = Vec::new();
            for (name, policy) in &policies {
                let file = format!("{name}.json");
                output::bytes(&STAGED, &folder.join(&file), &json(&self.policy(policy))?)?;
                named.push(file);
            }
            Ok(named)
        })
    }

    fn policy(&self, policy: &Policy) -> Value {
        let mut object = Map::new();
        if self.format == ReferenceFormat::KeylimeVerifier {
            object.insert("mask".to_owned(), keylime::mask(policy).into());
        }
        for (pcr, values) in policy {
            let values = values.iter().map(|value| Value::from(value.to_string()));
            object.insert(pcr.to_string(), values.collect());
        }
        Value::Object(object)
    }
}

/// The values in the first bank.
fn one_bank(reference: &Reference) -> BTreeMap<u32, Vec<touchstone_measure::Digest>> {
    let values = reference.values.iter();
    values
        .map(|(pcr, banks)| (*pcr, banks.values().next().cloned().unwrap_or_default()))
        .collect()
}

fn refused(source: ReferenceError) -> Error {
    Error::Reference { file: None, source }
}
