//! `measure.uki` and `pe.digest`: what a file hashes to, by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{Ask, Digest, measure_uki};
use touchstone_pe::authenticode;

pub use touchstone_measure::{Bank, PhasePath};

use crate::firmware::boot_path;
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

/// The answer of `measure.uki`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UkiPcrs {
    /// PCR → bank → phase path → value.
    pub pcrs: BTreeMap<u32, BTreeMap<Bank, BTreeMap<String, Digest>>>,
}

impl MeasureUki {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Pe`], and [`Error::Predict`] when the stub's version is not known.
    pub fn run(&self, context: &Context<'_>) -> Result<UkiPcrs, Error> {
        context.progress.phase("measuring");
        let (mut file, image) = open_image("UKI", &self.file)?;
        let banks = if self.banks.is_empty() {
            Ask::default().banks
        } else {
            self.banks.clone()
        };
        let phases = if self.phases.is_empty() {
            std::iter::once(PhasePath::none())
                .chain(PhasePath::standard())
                .collect()
        } else {
            self.phases.clone()
        };
        let measured = measure_uki(&image, &mut file, &banks)
            .map_err(|source| boot_path("UKI", &self.file, source))?;
        let values = |bank: Bank| {
            phases
                .iter()
                .filter_map(|phase| Some((phase.to_string(), measured.pcr11(bank, phase)?)))
                .collect()
        };
        let pcr11 = banks.iter().map(|bank| (*bank, values(*bank))).collect();
        Ok(UkiPcrs {
            pcrs: BTreeMap::from([(11, pcr11)]),
        })
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
    pub fn run(&self, _context: &Context<'_>) -> Result<PeDigest, Error> {
        let (mut file, image) = open_image("image", &self.file)?;
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
