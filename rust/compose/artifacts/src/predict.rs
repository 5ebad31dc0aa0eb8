//! `measure.predict`: the PCR values that a machine will have, from the files that it will boot.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{BootPathError, PredictError, Uki, UkiError};

pub use touchstone_measure::Prediction;

use crate::firmware::{Measure, boot_path};
use crate::source::open;
use crate::{Context, Error, output};

/// The request of `measure.predict`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PredictPcrs {
    /// The boot loader that the firmware starts: systemd-boot.
    pub loader: PathBuf,
    /// The UKI that the loader starts.
    pub uki: PathBuf,
    /// What is predicted.
    #[serde(default)]
    pub measure: Measure,
    /// Where the answer is written as well.
    pub output: Option<PathBuf>,
}

impl PredictPcrs {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Predict`] whenever a value would not be exact, with the reason; see [`Error`] for the rest.
    pub fn run(&self, context: &Context<'_>) -> Result<Prediction, Error> {
        context.progress.phase("predicting");
        let firmware = self.measure.open()?;
        let mut uki_file = open("UKI", &self.uki)?;
        let authority = firmware.authority_of("UKI", &self.uki)?;
        let uki = Uki::from_file("the UKI", &mut uki_file, &firmware.ask.banks, authority)
            .map_err(|source| boot_path("UKI", &self.uki, source))?;
        let authority = firmware.authority_of("boot loader", &self.loader)?;
        let loader = firmware.loader(&self.loader, &self.loader, authority)?;
        let prediction = firmware.predict(vec![], loader, uki)?;
        publish(&prediction, self.output.as_deref())?;
        Ok(prediction)
    }
}

/// Writes a prediction, if a place is given.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn publish(prediction: &Prediction, path: Option<&Path>) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    output::file(path, |out| {
        serde_json::to_writer_pretty(&mut *out, prediction)
            .map_err(std::io::Error::from)
            .and_then(|()| std::io::Write::write_all(out, b"\n"))
            .map_err(|source| Error::Write {
                file: path.to_owned(),
                source,
            })
    })
}

/// Why there is no prediction.
#[derive(Debug, thiserror::Error)]
pub enum NoPrediction {
    /// It would not be exact.
    #[error(transparent)]
    Inexact(#[from] PredictError),
    /// A file on the boot path is not one whose behaviour is known.
    #[error(transparent)]
    BootPath(#[from] BootPathError),
    /// The UKI's sections are not ones whose behaviour is known.
    #[error(transparent)]
    Uki(#[from] UkiError),
}
