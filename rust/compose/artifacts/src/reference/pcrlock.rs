//! `pcrlock.create`: component files of systemd-pcrlock, from predictions.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::pcrlock::{MOST_VALUES, Pcrlock, files};

use super::{KeptGeneration, predictions};
use crate::output::STAGED;
use crate::{Context, Error, output};

/// The request of `pcrlock.create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreatePcrlock {
    /// The generations that shall be admitted.
    pub generations: Vec<KeptGeneration>,
    /// The folder to make: its content goes to `/var/lib/pcrlock.d`.
    pub output: PathBuf,
}

/// The answer of `pcrlock.create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedPcrlock {
    /// The component files.
    pub files: Vec<NamedFile>,
    /// PCR → how many values systemd-pcrlock admits at one moment of the boot, of 8 at most.
    pub values: BTreeMap<u32, usize>,
    /// Registers of the predictions that systemd-pcrlock takes from the machine itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<u32>,
    /// What a person should know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A component file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NamedFile {
    /// Its name in the folder.
    pub name: String,
    /// The generations whose boot it describes; absent where it describes all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generations: Vec<String>,
}

/// At how many moments systemd-pcrlock looks at PCR 11 unless it is told otherwise: behind each of systemd's four phases.
const MOMENTS: usize = 4;

impl CreatePcrlock {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Pcrlock`] when systemd-pcrlock cannot admit all of them, or a prediction cannot be relied on; [`Error::Open`],
    /// [`Error::Text`], [`Error::Exists`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<CreatedPcrlock, Error> {
        context.progress.phase("collecting predictions");
        let pcrlock = files(&predictions(context.files, &self.generations)?)
            .map_err(|source| Error::Pcrlock { source })?;
        output::folder(context.files, &self.output, |folder| {
            for file in &pcrlock.files {
                let path = folder.join(&file.name);
                let failed = |source| Error::Write {
                    file: path.clone(),
                    source,
                };
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).map_err(failed)?;
                }
                let json = file.to_json().map_err(|error| failed(error.into()))?;
                output::bytes(&STAGED, &path, &json)?;
            }
            Ok(())
        })?;
        Ok(answer(pcrlock))
    }
}

fn answer(pcrlock: Pcrlock) -> CreatedPcrlock {
    let mut notes = Vec::new();
    let of_11 = pcrlock.values.get(&11).copied().unwrap_or(0);
    if of_11 * MOMENTS > MOST_VALUES {
        notes.push(format!(
            "PCR 11 has {of_11} values at one moment, and systemd-pcrlock looks at {MOMENTS} moments: name the one at which secrets are unsealed with --location=760 (in the initrd), or its policy would need {} values, of {MOST_VALUES} that it can have",
            of_11 * MOMENTS
        ));
    }
    let files = pcrlock.files.into_iter().map(|file| NamedFile {
        name: file.name,
        generations: file.generations,
    });
    CreatedPcrlock {
        files: files.collect(),
        values: pcrlock.values,
        left_out: pcrlock.left_out,
        notes,
    }
}
