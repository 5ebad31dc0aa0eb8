//! Predictions with a name, and whether they can be relied on.

use std::collections::{BTreeMap, BTreeSet};

use super::ReferenceError;
use crate::bank::{Bank, Digest};
use crate::measurement::Measurement;
use crate::predict::{Leaf, Prediction};

/// The prediction of one generation or specialisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What the generation is called: it may become a file's name.
    pub name: String,
    /// Its prediction.
    pub prediction: Prediction,
}

/// Refuses names that could not be file names, and names that stand twice.
pub(crate) fn check_names(generations: &[Named]) -> Result<(), ReferenceError> {
    if generations.is_empty() {
        return Err(ReferenceError::NoGeneration);
    }
    let mut seen = BTreeSet::new();
    for Named { name, prediction } in generations {
        if !is_plain(name) {
            return Err(ReferenceError::Name(name.clone()));
        }
        if !seen.insert(name) {
            return Err(ReferenceError::SameName(name.clone()));
        }
        if prediction.leaves.is_empty() {
            return Err(ReferenceError::NoLeaves(name.clone()));
        }
    }
    Ok(())
}

fn is_plain(name: &str) -> bool {
    let known =
        |character: char| character.is_ascii_alphanumeric() || ['.', '-', '_'].contains(&character);
    (1..=100).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(known)
}

/// Refuses a prediction whose measurements do not make its values: it was damaged, or changed by hand.
pub(crate) fn check_values(generations: &[Named]) -> Result<(), ReferenceError> {
    for Named { name, prediction } in generations {
        for leaf in &prediction.leaves {
            check_leaf(name, leaf)?;
        }
    }
    Ok(())
}

fn check_leaf(generation: &str, leaf: &Leaf) -> Result<(), ReferenceError> {
    for (pcr, banks) in &leaf.pcrs {
        for (bank, says) in banks {
            if says.bank() != *bank {
                return Err(ReferenceError::Bank {
                    pcr: *pcr,
                    bank: *bank,
                });
            }
            let made = |start| end_of(start, *pcr, &leaf.measurements);
            if !starts(*pcr, *bank).any(|start| made(start) == *says) {
                return Err(ReferenceError::Contradiction {
                    generation: generation.to_owned(),
                    pcr: *pcr,
                    says: Box::new(*says),
                    made: Box::new(made(Digest::zero(*bank))),
                });
            }
        }
    }
    Ok(())
}

/// What a register may hold before its first measurement: zero; PCR 0 also the locality from which the machine started
/// (3, or 4 where the hardware measured before it; TCG PC Client Platform Firmware Profile, "StartupLocality").
fn starts(pcr: u32, bank: Bank) -> impl Iterator<Item = Digest> {
    let localities: &[u8] = if pcr == 0 { &[0, 3, 4] } else { &[0] };
    localities
        .iter()
        .map(move |locality| Digest::at_locality(bank, *locality))
}

fn end_of(start: Digest, pcr: u32, measurements: &[Measurement]) -> Digest {
    measurements
        .iter()
        .filter(|measurement| measurement.pcr == pcr && measurement.digest.bank() == start.bank())
        .fold(start, |value, measurement| {
            value.extended(&measurement.digest)
        })
}

/// A leaf's values of these registers in these banks.
pub(crate) fn chosen(
    generation: &str,
    leaf: &Leaf,
    pcrs: &[u32],
    banks: &[Bank],
) -> Result<BTreeMap<u32, BTreeMap<Bank, Digest>>, ReferenceError> {
    let mut values: BTreeMap<u32, BTreeMap<Bank, Digest>> = BTreeMap::new();
    for pcr in pcrs {
        for bank in banks {
            let value = leaf.pcrs.get(pcr).and_then(|banks| banks.get(bank));
            let value = value.ok_or_else(|| ReferenceError::Missing {
                generation: generation.to_owned(),
                pcr: *pcr,
                bank: *bank,
            })?;
            values.entry(*pcr).or_default().insert(*bank, *value);
        }
    }
    Ok(values)
}
