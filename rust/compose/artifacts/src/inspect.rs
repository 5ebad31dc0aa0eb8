//! `measure.uki` and `pe.digest`: what a file hashes to, by itself.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::measure_uki;
use touchstone_pe::authenticode;

pub use touchstone_measure::{Bank, PhasePath};

use crate::firmware::boot_path;
use crate::pcr11::{AskPcr11, UkiPcrs};
use crate::source::open_image;
use crate::{Context, Error};

/// The request of `measure.uki`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeasureUki {
    /// The UKI.
    pub file: PathBuf,
    /// Phase paths; the moment before the first and all of systemd's when there are none.
    #[serde(default)]
    pub phases: Vec<PhasePath>,
    /// Banks; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

impl MeasureUki {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Pe`], and [`Error::Predict`] when the stub's version is not known.
    pub fn run(&self, context: &Context<'_>) -> Result<UkiPcrs, Error> {
        context.progress.phase("measuring");
        let (mut file, image) = open_image(context.files, "UKI", &self.file)?;
        let ask = AskPcr11 {
            phases: self.phases.clone(),
            banks: self.banks.clone(),
        };
        let measured = measure_uki(&image, &mut file, &ask.banks())
            .and_then(|uki| Ok(uki.sole()?))
            .map_err(|source| boot_path("UKI", &self.file, source))?;
        Ok(ask.values(&measured))
    }
}

/// The request of `pe.digest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestPe {
    /// The PE image.
    pub file: PathBuf,
}

/// The answer of `pe.digest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PeDigest {
    /// Authenticode SHA-256, in hex.
    pub sha256: String,
}

impl DigestPe {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Pe`].
    pub fn run(&self, context: &Context<'_>) -> Result<PeDigest, Error> {
        let (mut file, image) = open_image(context.files, "image", &self.file)?;
        let digest = authenticode::sha256(&image, &mut file).map_err(|source| Error::Pe {
            role: "image",
            file: self.file.clone(),
            source,
        })?;
        Ok(PeDigest {
            sha256: crate::hex(&digest),
        })
    }
}
