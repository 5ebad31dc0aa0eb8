//! Reference documents: what all kept generations of a machine will measure, for those who attest it.
//!
//! A [`Reference`] names every generation with the values that each of its leaves admits; [`Reference::check`] judges a
//! machine by it, [`keylime`] writes it as Keylime reads it, [`compare`] says what moved between two predictions.

mod align;
mod check;
pub mod compare;
mod error;
pub mod keylime;
mod named;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use check::{Admitting, Difference, Nearest, Verdict};
pub use error::ReferenceError;
pub use named::Named;
pub(crate) use named::{check_names, check_values};

use crate::bank::{Bank, Digest};
use crate::measurement::Measurement;

/// The version of the form below.
const VERSION: u32 = 1;

/// PCR → bank → something.
type ByRegister<T> = BTreeMap<u32, BTreeMap<Bank, T>>;

/// What the document is, so that nobody takes another JSON file for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Form {
    /// A reference document.
    #[serde(rename = "touchstone-reference")]
    Reference,
}

/// All that the kept generations of a machine will measure, as one document.
///
/// A machine is as predicted when *one leaf* has all its values; the lists in `values` alone admit more, for they say nothing of
/// which values belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What this document is.
    pub format: Form,
    /// The version of its form: 1.
    pub version: u32,
    /// The registers by which it judges, in ascending order.
    pub pcrs: Vec<u32>,
    /// The banks by which it judges: all of them.
    pub banks: Vec<Bank>,
    /// PCR → bank → every value that some leaf has, sorted.
    pub values: BTreeMap<u32, BTreeMap<Bank, Vec<Digest>>>,
    /// The generations and specialisations, in the order in which they were given.
    pub generations: Vec<ReferenceGeneration>,
}

/// One generation or specialisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceGeneration {
    /// Its name.
    pub name: String,
    /// The ways in which its boot may go.
    pub leaves: Vec<ReferenceLeaf>,
    /// What must hold for the values to be right, in words.
    pub assumptions: Vec<String>,
}

/// One way in which a boot may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReferenceLeaf {
    /// The choices that lead here, in words.
    pub path: Vec<String>,
    /// PCR → bank → value.
    pub pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>>,
    /// What makes each value, where the document explains itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
}

/// What a reference document shall say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The registers; those of the first prediction when not given.
    pub pcrs: Option<Vec<u32>>,
    /// The banks; those of the first prediction when not given.
    pub banks: Option<Vec<Bank>>,
    /// Whether the measurements that make each value are kept.
    pub explained: bool,
}

impl Reference {
    /// The document of these predictions.
    ///
    /// # Errors
    /// [`ReferenceError`] when a name is no name or stands twice, a prediction contradicts itself, or lacks a value.
    pub fn of(generations: &[Named], selection: &Selection) -> Result<Reference, ReferenceError> {
        check_names(generations)?;
        check_values(generations)?;
        let (pcrs, banks) = asked(generations, selection)?;
        let generations = generations
            .iter()
            .map(|named| generation(named, &pcrs, &banks, selection.explained))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Reference {
            format: Form::Reference,
            version: VERSION,
            values: values_of(&generations),
            pcrs,
            banks,
            generations,
        })
    }

    /// Refuses a document that was damaged, or changed by hand in one place only.
    ///
    /// # Errors
    /// [`ReferenceError`].
    pub fn validate(&self) -> Result<(), ReferenceError> {
        if self.version != VERSION {
            return Err(ReferenceError::Version(self.version));
        }
        if self.pcrs.is_empty() || self.banks.is_empty() {
            return Err(ReferenceError::NothingAsked);
        }
        for (generation, leaf) in self.leaves() {
            for pcr in &self.pcrs {
                for bank in &self.banks {
                    let value = leaf.pcrs.get(pcr).and_then(|banks| banks.get(bank));
                    let value = value.ok_or_else(|| ReferenceError::Missing {
                        generation: generation.to_owned(),
                        pcr: *pcr,
                        bank: *bank,
                    })?;
                    if value.bank() != *bank {
                        return Err(ReferenceError::Bank {
                            pcr: *pcr,
                            bank: *bank,
                        });
                    }
                }
            }
        }
        let values = values_of(&self.generations);
        let differs = |pcr: &&u32| self.values.get(pcr) != values.get(pcr);
        let mut pcrs = self.values.keys().chain(values.keys());
        match pcrs.find(differs) {
            Some(pcr) => Err(ReferenceError::Values(*pcr)),
            None => Ok(()),
        }
    }

    /// Every leaf with its generation's name.
    pub fn leaves(&self) -> impl Iterator<Item = (&str, &ReferenceLeaf)> {
        self.generations.iter().flat_map(|generation| {
            let leaves = generation.leaves.iter();
            leaves.map(|leaf| (generation.name.as_str(), leaf))
        })
    }
}

/// The registers and banks in question, each once, sorted.
fn asked(
    generations: &[Named],
    selection: &Selection,
) -> Result<(Vec<u32>, Vec<Bank>), ReferenceError> {
    let first = generations
        .first()
        .and_then(|named| named.prediction.leaves.first())
        .map(|leaf| &leaf.pcrs);
    let of_first = first.into_iter().flatten();
    let pcrs: BTreeSet<u32> = match &selection.pcrs {
        Some(pcrs) => pcrs.iter().copied().collect(),
        None => of_first.clone().map(|(pcr, _)| *pcr).collect(),
    };
    let banks: BTreeSet<Bank> = match &selection.banks {
        Some(banks) => banks.iter().copied().collect(),
        None => of_first
            .flat_map(|(_, banks)| banks.keys().copied())
            .collect(),
    };
    if pcrs.is_empty() || banks.is_empty() {
        return Err(ReferenceError::NothingAsked);
    }
    Ok((pcrs.into_iter().collect(), banks.into_iter().collect()))
}

fn generation(
    named: &Named,
    pcrs: &[u32],
    banks: &[Bank],
    explained: bool,
) -> Result<ReferenceGeneration, ReferenceError> {
    let leaves = named.prediction.leaves.iter().map(|leaf| {
        let measurements = leaf.measurements.iter().filter(|measurement| {
            explained
                && pcrs.contains(&measurement.pcr)
                && banks.contains(&measurement.digest.bank())
        });
        Ok(ReferenceLeaf {
            path: leaf.path.clone(),
            pcrs: named::chosen(&named.name, leaf, pcrs, banks)?,
            measurements: measurements.cloned().collect(),
        })
    });
    Ok(ReferenceGeneration {
        name: named.name.clone(),
        leaves: leaves.collect::<Result<_, ReferenceError>>()?,
        assumptions: named.prediction.assumptions.clone(),
    })
}

/// Every value that some leaf has.
fn values_of(generations: &[ReferenceGeneration]) -> ByRegister<Vec<Digest>> {
    let mut sets: ByRegister<BTreeSet<Digest>> = BTreeMap::new();
    for leaf in generations.iter().flat_map(|generation| &generation.leaves) {
        for (pcr, banks) in &leaf.pcrs {
            for (bank, value) in banks {
                let register = sets.entry(*pcr).or_default();
                register.entry(*bank).or_default().insert(*value);
            }
        }
    }
    let listed = |banks: BTreeMap<Bank, BTreeSet<Digest>>| {
        let banks = banks.into_iter();
        banks
            .map(|(bank, values)| (bank, values.into_iter().collect()))
            .collect()
    };
    sets.into_iter()
        .map(|(pcr, banks)| (pcr, listed(banks)))
        .collect()
}
