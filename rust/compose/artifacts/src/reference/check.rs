//! `reference.check`: whether a machine is in a state that a reference document admits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::reference::{Reference, Verdict};
use touchstone_measure::{Bank, Digest};

use super::read;
use crate::{Context, Error, Files};

/// The request of `reference.check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CheckReference {
    /// The document, of Touchstone's own form.
    pub document: PathBuf,
    /// The machine's values: `{"pcrs":{"4":{"sha256":"…"},…}}`, as `eventlog.replay` answers, or `{"4":"…",…}`, of the bank that the
    /// digests' length tells.
    pub values: PathBuf,
}

/// PCR → bank → value.
type Values = BTreeMap<u32, BTreeMap<Bank, Digest>>;

/// Reads a machine's values in either form. Other fields beside `pcrs` are passed over.
fn values_of(files: &dyn Files, file: &Path) -> Result<Values, Error> {
    let role = "file of PCR values";
    let mut json: serde_json::Value = read(files, role, file)?;
    let malformed = |error: serde_json::Error| Error::Text {
        role,
        file: file.to_owned(),
        fact: error.to_string(),
    };
    if let Some(pcrs) = json.get_mut("pcrs") {
        return serde_json::from_value(pcrs.take()).map_err(malformed);
    }
    let flat: BTreeMap<u32, Digest> = serde_json::from_value(json).map_err(malformed)?;
    let value = |(pcr, value): (u32, Digest)| (pcr, BTreeMap::from([(value.bank(), value)]));
    Ok(flat.into_iter().map(value).collect())
}

impl CheckReference {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Reference`] when the document contradicts itself or a value is missing by which it judges; [`Error::Open`],
    /// [`Error::Text`].
    pub fn run(&self, context: &Context<'_>) -> Result<Verdict, Error> {
        context.progress.phase("comparing");
        let reference: Reference = read(context.files, "reference document", &self.document)?;
        let values = values_of(context.files, &self.values)?;
        let refused = |file: &PathBuf| {
            let file = Some(file.clone());
            |source| Error::Reference { file, source }
        };
        reference.validate().map_err(refused(&self.document))?;
        reference.check(&values).map_err(refused(&self.values))
    }
}
