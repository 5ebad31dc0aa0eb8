//! Whether a machine is in a state that a reference document admits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Reference, ReferenceError, ReferenceLeaf};
use crate::bank::{Bank, Digest};

/// What a reference document says of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verdict {
    /// Whether one leaf has all of the machine's values.
    pub admitted: bool,
    /// The leaves that do.
    pub by: Vec<Admitting>,
    /// Where none does: the leaf that differs in the fewest registers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
}

/// A leaf that has all of the machine's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Admitting {
    /// Its generation.
    pub generation: String,
    /// The choices that lead to it, in words.
    pub path: Vec<String>,
}

/// The leaf that a machine comes nearest to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Nearest {
    /// Its generation.
    pub generation: String,
    /// The choices that lead to it, in words.
    pub path: Vec<String>,
    /// Where the machine differs from it.
    pub differs: Vec<Difference>,
}

/// A value that is not the leaf's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The register.
    pub pcr: u32,
    /// The bank.
    pub bank: Bank,
    /// What the leaf has.
    pub expected: Digest,
    /// What the machine has.
    pub found: Digest,
    /// Generations that have the machine's value in this register: the machine is then a mixture of generations.
    pub found_in: Vec<String>,
}

impl Reference {
    /// Judges a machine by its registers: PCR → bank → value. Values of which the document says nothing are passed over.
    ///
    /// # Errors
    /// [`ReferenceError::NotGiven`] when a value is missing by which the document judges; a missing value never admits.
    pub fn check(
        &self,
        values: &BTreeMap<u32, BTreeMap<Bank, Digest>>,
    ) -> Result<Verdict, ReferenceError> {
        self.require(values)?;
        let mut by = Vec::new();
        let mut nearest: Option<Nearest> = None;
        for (generation, leaf) in self.leaves() {
            let differs = self.differences(leaf, values);
            let (generation, path) = (generation.to_owned(), leaf.path.clone());
            if differs.is_empty() {
                by.push(Admitting { generation, path });
                continue;
            }
            let nearer = nearest
                .as_ref()
                .is_none_or(|nearest| registers(&differs) < registers(&nearest.differs));
            if nearer {
                nearest = Some(Nearest {
                    generation,
                    path,
                    differs,
                });
            }
        }
        let admitted = !by.is_empty();
        Ok(Verdict {
            admitted,
            by,
            nearest: nearest.filter(|_| !admitted),
        })
    }

    fn require(
        &self,
        values: &BTreeMap<u32, BTreeMap<Bank, Digest>>,
    ) -> Result<(), ReferenceError> {
        for pcr in &self.pcrs {
            for bank in &self.banks {
                let (pcr, bank) = (*pcr, *bank);
                match values.get(&pcr).and_then(|banks| banks.get(&bank)) {
                    None => return Err(ReferenceError::NotGiven { pcr, bank }),
                    Some(value) if value.bank() != bank => {
                        return Err(ReferenceError::Bank { pcr, bank });
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }

    fn differences(
        &self,
        leaf: &ReferenceLeaf,
        values: &BTreeMap<u32, BTreeMap<Bank, Digest>>,
    ) -> Vec<Difference> {
        let mut differs = Vec::new();
        for (pcr, banks) in &leaf.pcrs {
            for (bank, expected) in banks {
                let found = values.get(pcr).and_then(|banks| banks.get(bank));
                if let Some(found) = found.filter(|found| *found != expected) {
                    differs.push(Difference {
                        pcr: *pcr,
                        bank: *bank,
                        expected: *expected,
                        found: *found,
                        found_in: self.generations_with(*pcr, *bank, *found),
                    });
                }
            }
        }
        differs
    }

    fn generations_with(&self, pcr: u32, bank: Bank, value: Digest) -> Vec<String> {
        let has = |leaf: &ReferenceLeaf| {
            let found = leaf.pcrs.get(&pcr).and_then(|banks| banks.get(&bank));
            found == Some(&value)
        };
        let generations = self.generations.iter();
        generations
            .filter(|generation| generation.leaves.iter().any(has))
            .map(|generation| generation.name.clone())
            .collect()
    }
}

/// How many registers differ, whatever the number of banks.
fn registers(differs: &[Difference]) -> usize {
    let mut pcrs: Vec<u32> = differs.iter().map(|difference| difference.pcr).collect();
    pcrs.dedup();
    pcrs.len()
}
