//! Several predictions at once: reference documents, component files of systemd-pcrlock, and what moved between two.

mod check;
mod compare;
mod create;
mod pcrlock;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use touchstone_measure::Prediction;
use touchstone_measure::reference::Named;

pub use check::CheckReference;
pub use compare::ComparePredictions;
pub use create::{CreateReference, CreatedReference, ReferenceFormat};
pub use pcrlock::{CreatePcrlock, CreatedPcrlock, NamedFile};
pub use touchstone_measure::reference::compare::Changes;
pub use touchstone_measure::reference::{Reference, Verdict};

use crate::source::{entries, is_folder, read_small};
use crate::{Error, Files};

/// A prediction of 120 leaves with their measurements in all banks is about 5 MB long.
const LIMIT: u64 = 256 << 20;

/// A kept generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeptGeneration {
    /// What it is called, such as `42`: letters, digits, dots, dashes and underscores.
    pub name: String,
    /// Its prediction: a file made by `measure.predict`, or a folder made by `boot.artifacts`. Such a folder also brings the
    /// generation's specialisations, which are called `NAME-specialisation-SPECIALISATION`.
    pub prediction: PathBuf,
}

/// Reads the predictions of generations, each folder's specialisations behind its own.
///
/// # Errors
/// [`Error::Open`], [`Error::Text`].
fn predictions(files: &dyn Files, generations: &[KeptGeneration]) -> Result<Vec<Named>, Error> {
    let mut all = Vec::new();
    for KeptGeneration { name, prediction } in generations {
        if !is_folder(files, "prediction", prediction)? {
            all.push(named(files, name.clone(), prediction)?);
            continue;
        }
        all.push(named(files, name.clone(), &prediction.join("pcrs.json"))?);
        for specialisation in specialisations(files, prediction)? {
            let file = prediction
                .join("specialisation")
                .join(&specialisation)
                .join("pcrs.json");
            all.push(named(
                files,
                format!("{name}-specialisation-{specialisation}"),
                &file,
            )?);
        }
    }
    Ok(all)
}

fn named(files: &dyn Files, name: String, file: &Path) -> Result<Named, Error> {
    let prediction: Prediction = read(files, "prediction", file)?;
    Ok(Named { name, prediction })
}

/// The names of the specialisations in a folder of boot artifacts, sorted.
fn specialisations(files: &dyn Files, artifacts: &Path) -> Result<Vec<String>, Error> {
    let folder = artifacts.join("specialisation");
    let role = "folder of specialisations";
    if !is_folder(files, role, &folder)? {
        return Ok(Vec::new());
    }
    let found = entries(files, &folder).map_err(|source| Error::Open {
        role,
        file: folder.clone(),
        source,
    })?;
    let mut names: Vec<_> = found
        .iter()
        .map(|entry| entry.name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

/// Reads a JSON document.
///
/// # Errors
/// [`Error::Open`], or [`Error::Text`] when it is of another form.
pub(crate) fn read<T: DeserializeOwned>(
    files: &dyn Files,
    role: &'static str,
    file: &Path,
) -> Result<T, Error> {
    let bytes = read_small(files, role, file, LIMIT)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Text {
        role,
        file: file.to_owned(),
        fact: error.to_string(),
    })
}

/// A document as it is written to a file.
pub(crate) fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let mut json = serde_json::to_vec_pretty(value).map_err(|error| Error::Request {
        fact: format!("the answer is no JSON: {error}"),
        help: "report this: every answer has a form of its own",
    })?;
    json.push(b'\n');
    Ok(json)
}

/// How many values each register has.
fn counts<T>(values: &BTreeMap<u32, Vec<T>>) -> BTreeMap<u32, usize> {
    let count = |(pcr, values): (&u32, &Vec<T>)| (*pcr, values.len());
    values.iter().map(count).collect()
}
