//! `reference.check`: whether a machine is in a state that a reference document admits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::reference::{Reference, Verdict};
use touchstone_measure::{Bank, Digest};

use super::read;
use crate::{Context, Error};

/// The request of `reference.check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CheckReference {
    /// The document, of Touchstone's own form.
    pub document: PathBuf,
    /// The machine's values: `{"pcrs":{"4":{"sha256":"…"},…}}`, as `eventlog.replay` answers.
    pub values: PathBuf,
}

/// A machine's values. Other fields are passed over.
#[derive(Deserialize)]
struct Values {
    pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>>,
}

impl CheckReference {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Reference`] when the document contradicts itself or a value is missing by which it judges; [`Error::Open`],
    /// [`Error::Text`].
    pub fn run(&self, context: &Context<'_>) -> Result<Verdict, Error> {
        context.progress.phase("comparing");
        let reference: Reference = read("reference document", &self.document)?;
        let values: Values = read("file of PCR values", &self.values)?;
        let refused = |file: &PathBuf| {
            let file = Some(file.clone());
            |source| Error::Reference { file, source }
        };
        reference.validate().map_err(refused(&self.document))?;
        reference.check(&values.pcrs).map_err(refused(&self.values))
    }
}
