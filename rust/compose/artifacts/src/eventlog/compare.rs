//! `eventlog.compare`: which prediction a log is, or what is otherwise.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::eventlog::compare::{CompareError, Known, Question, Values, compare};

use super::{Comparison, files, read, read_userspace, refused};
use crate::{Context, Error};

/// The request of `eventlog.compare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CompareEventLog {
    /// The firmware's log.
    pub file: PathBuf,
    /// The log of what systemd measured later.
    pub userspace: Option<PathBuf>,
    /// Answers of `measure.predict`: the first outcome that fits, or the nearest of all, is named.
    pub predictions: Vec<PathBuf>,
    /// More answers of `measure.predict`, whose measurements are known by name.
    #[serde(default)]
    pub known: Vec<PathBuf>,
    /// PE images, whose Authenticode digests are known by name.
    #[serde(default)]
    pub known_images: Vec<PathBuf>,
    /// Signature lists (ESL), by which the entries of variables are compared.
    #[serde(default)]
    pub known_lists: Vec<PathBuf>,
    /// What the machine's registers hold: what `tpm2_pcrread` prints, or JSON, `{"7": "<hex>"}` or as `eventlog.replay` answers.
    pub pcrs: Option<PathBuf>,
}

impl CompareEventLog {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EventLog`], [`Error::UserspaceLog`], [`Error::Pe`], [`Error::SignatureData`], [`Error::Text`] for
    /// files that are not what they are named as, and [`Error::Request`] when there is nothing to compare.
    pub fn run(&self, context: &Context<'_>) -> Result<Comparison, Error> {
        let log = read(context.files, &self.file)?;
        let userspace = self
            .userspace
            .as_deref()
            .map(|file| read_userspace(context.files, file))
            .transpose()?;
        let predictions = self.predictions.iter().map(|path| {
            let prediction = files::prediction(context.files, path)?;
            Ok((path.display().to_string(), prediction))
        });
        let predictions: Vec<_> = predictions.collect::<Result<_, Error>>()?;
        let mut known = Known::default();
        // Files are named better than the reasons of predictions.
        for path in &self.known_images {
            files::image(context.files, path, &mut known)?;
        }
        for path in &self.known {
            known.add_prediction(&files::prediction(context.files, path)?);
        }
        for (_, prediction) in &predictions {
            known.add_prediction(prediction);
        }
        for path in &self.known_lists {
            known.add_list(files::list(context.files, path)?);
        }
        let machine = match &self.pcrs {
            Some(path) => files::values(context.files, path)?,
            None => Values::new(),
        };
        let question = Question {
            log: &log,
            userspace: userspace.as_ref(),
            predictions: &predictions,
            known: &known,
            machine: &machine,
        };
        compare(&question).map_err(|error| self.refused(error))
    }

    fn refused(&self, error: CompareError) -> Error {
        match error {
            CompareError::Log(source) => refused(&self.file, source),
            error => Error::Request {
                fact: error.to_string(),
                help: "name answers of `touchstone measure predict`, made for a bank of the machine's TPM",
            },
        }
    }
}
