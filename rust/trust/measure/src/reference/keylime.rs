//! Keylime's `tpm_policy`: for each register a list of values that a quote may have.
//!
//! The form is that of Keylime 7.14: `keylime_tenant --tpm_policy` takes an object of register numbers and lists of values, and adds
//! the register mask; the verifier's interface takes the same with the mask, `"mask": "0x…"`.
//!
//! **Keylime compares each register by itself.** From two generations that differ in PCRs 4 and 11 it also admits PCR 4 of the one
//! with PCR 11 of the other. [`policy`] therefore refuses wherever that would admit a combination that no prediction has, unless the
//! caller accepts it; one policy for each leaf ([`split`]) never does.

use std::collections::{BTreeMap, BTreeSet};

use super::{Reference, ReferenceError, ReferenceLeaf};
use crate::bank::{Bank, Digest};

/// Registers that Keylime uses itself: IMA's, and the one into which it binds data.
const USED: [u32; 2] = [10, 16];

/// A register's number → the values that it may have, in every bank of the document, sorted.
pub type Policy = BTreeMap<u32, Vec<Digest>>;

/// The policy of all generations of a document.
///
/// # Errors
/// [`ReferenceError::Mixtures`] unless `mixtures` accepts them, [`ReferenceError::KeylimeUses`].
pub fn policy(reference: &Reference, mixtures: bool) -> Result<Policy, ReferenceError> {
    let leaves: Vec<&ReferenceLeaf> = reference.leaves().map(|(_, leaf)| leaf).collect();
    let (admitted, predicted) = combinations(&leaves, &reference.banks);
    if !mixtures && admitted > predicted as u128 {
        return Err(ReferenceError::Mixtures {
            admitted,
            predicted,
        });
    }
    of_leaves(&leaves)
}

/// Policies that admit exactly what was predicted, with names: one for each generation, or for each of its leaves (`NAME.1`, …)
/// where a single policy of the generation would admit mixtures of its own leaves.
///
/// # Errors
/// [`ReferenceError::KeylimeUses`].
pub fn split(reference: &Reference) -> Result<Vec<(String, Policy)>, ReferenceError> {
    let mut policies = Vec::new();
    for generation in &reference.generations {
        let leaves: Vec<&ReferenceLeaf> = generation.leaves.iter().collect();
        let (admitted, predicted) = combinations(&leaves, &reference.banks);
        if admitted <= predicted as u128 {
            policies.push((generation.name.clone(), of_leaves(&leaves)?));
            continue;
        }
        for (number, leaf) in (1..).zip(leaves) {
            policies.push((format!("{}.{number}", generation.name), of_leaves(&[leaf])?));
        }
    }
    Ok(policies)
}

/// The register mask of a policy, as Keylime writes it.
pub fn mask(policy: &Policy) -> String {
    let mask = policy.keys().fold(0_u32, |mask, pcr| {
        mask | 1_u32.checked_shl(*pcr).unwrap_or(0)
    });
    format!("{mask:#x}")
}

fn of_leaves(leaves: &[&ReferenceLeaf]) -> Result<Policy, ReferenceError> {
    let mut sets: BTreeMap<u32, BTreeSet<Digest>> = BTreeMap::new();
    for leaf in leaves {
        for (pcr, banks) in &leaf.pcrs {
            if USED.contains(pcr) {
                return Err(ReferenceError::KeylimeUses(*pcr));
            }
            sets.entry(*pcr).or_default().extend(banks.values());
        }
    }
    let listed = |(pcr, values): (u32, BTreeSet<Digest>)| (pcr, values.into_iter().collect());
    Ok(sets.into_iter().map(listed).collect())
}

/// How many combinations of values a policy of these leaves admits, and how many of them a leaf has: in the bank where that is worst,
/// for a quote is of one bank.
fn combinations(leaves: &[&ReferenceLeaf], banks: &[Bank]) -> (u128, usize) {
    let of_bank = |bank: &Bank| {
        let mut values: BTreeMap<u32, BTreeSet<Digest>> = BTreeMap::new();
        let mut whole: BTreeSet<Vec<Option<Digest>>> = BTreeSet::new();
        for leaf in leaves {
            let of_leaf = leaf.pcrs.values().map(|banks| banks.get(bank).copied());
            whole.insert(of_leaf.collect());
            for (pcr, banks) in &leaf.pcrs {
                values.entry(*pcr).or_default().extend(banks.get(bank));
            }
        }
        let admitted = values.values().fold(1_u128, |product, values| {
            product.saturating_mul(values.len() as u128)
        });
        (admitted, whole.len())
    };
    banks.iter().map(of_bank).max().unwrap_or((0, 0))
}
