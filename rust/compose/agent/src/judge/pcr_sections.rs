//! `.pcrpkey` and `.pcrsig`: whose policies the machine will believe, and what they say.

use std::collections::BTreeSet;

use touchstone_measure::policy::{PcrSignatures, PolicyDigest, SignedDigest};
use touchstone_measure::{Bank, PhasePath, ProfileMeasurement};
use touchstone_store::json;

use super::facts::Facts;
use super::known::PcrKey;
use super::refuse::refuse;
use super::{Judge, measured};
use crate::policy::Operation;
use crate::protocol::{KeyName, Refusal};

const KEY: &str = ".pcrpkey";
const SIGNATURES: &str = ".pcrsig";

/// Sees that each `.pcrpkey` is the public half of a key that the policy names for the image.
///
/// # Errors
/// [`Refusal`].
pub(super) fn keys(
    judge: &Judge,
    facts: &Facts<'_>,
    names: &BTreeSet<KeyName>,
) -> Result<(), Refusal> {
    for section in facts.texts(KEY) {
        if !named(judge, names).any(|(_, key)| key.is_all_of(section)) {
            return Err(refuse(
                "image.pcrKey",
                "the section .pcrpkey is none of the keys that the policy names for this image, or there is something beside it: machines would unseal for whoever has that key",
                "put the file there that is `publicKey` of a key in `pcrKeys` of the policy, as it is",
            ));
        }
    }
    Ok(())
}

/// Sees that each `.pcrsig` speaks of the profile that it stands in, by a key that the policy names for the image, in moments for which that
/// key signs.
///
/// # Errors
/// [`Refusal`].
pub(super) fn signatures(
    judge: &Judge,
    facts: &Facts<'_>,
    names: &BTreeSet<KeyName>,
    profiles: &[Vec<usize>],
) -> Result<(), Refusal> {
    if facts.texts(SIGNATURES).next().is_none() {
        return Ok(());
    }
    let measured = measured::profiles(facts)?;
    if measured.len() != profiles.len() {
        return Err(wrong(
            "the profiles that are measured are not those of the image",
        ));
    }
    for (profile, measured) in profiles.iter().zip(&measured) {
        let of_name = profile.iter().filter(|index| {
            facts
                .section(**index)
                .is_some_and(|section| section.name.as_str() == SIGNATURES)
        });
        for text in of_name.filter_map(|index| facts.text(*index)) {
            // Of a bank that is there twice, others may see the other.
            json::parse(text).map_err(|error| wrong(error.to_string()))?;
            let signatures =
                PcrSignatures::parse(text).map_err(|error| wrong(error.to_string()))?;
            for (bank, signed) in signatures.iter() {
                signature(judge, measured, names, bank, signed)?;
            }
        }
    }
    Ok(())
}

fn signature(
    judge: &Judge,
    profile: &ProfileMeasurement,
    names: &BTreeSet<KeyName>,
    bank: Bank,
    signed: &SignedDigest,
) -> Result<(), Refusal> {
    let Some((name, _)) = named(judge, names).find(|(_, key)| signed.is_by(&key.public)) else {
        return Err(wrong(
            "it has a signature by none of the keys that the policy names for this image",
        ));
    };
    let phases = phases(judge, name, bank);
    let mut own: Vec<PolicyDigest> = Vec::new();
    for phase in phases {
        own.push(measured::of(profile, bank, phase)?);
    }
    match signed.pcrs == [11] && own.contains(&signed.pol) {
        true => Ok(()),
        false => Err(wrong(format!(
            "it has a signature in the bank {bank} that is not of this image's PCR 11 in a moment for which `{name}` signs"
        ))),
    }
}

/// The keys of these names.
fn named<'a>(
    judge: &'a Judge,
    names: &'a BTreeSet<KeyName>,
) -> impl Iterator<Item = (&'a KeyName, &'a PcrKey)> {
    let keys = judge.pcr_keys.iter();
    keys.filter(|(name, _)| names.contains(name))
}

/// The moments for which some rule signs with a key in a bank.
fn phases<'a>(judge: &'a Judge, key: &KeyName, bank: Bank) -> BTreeSet<&'a PhasePath> {
    let rules = judge.policy.document().rules.iter();
    let operations = rules.flat_map(|rule| &rule.operations);
    let phases = operations.filter_map(|operation| match operation {
        Operation::PcrPolicy(operation)
            if operation.key == *key && operation.banks.contains(&bank) =>
        {
            Some(&operation.phases)
        }
        _ => None,
    });
    phases.flatten().collect()
}

fn wrong(what: impl AsRef<str>) -> Refusal {
    let what = format!("the section .pcrsig: {}", what.as_ref());
    refuse(
        "image.pcrSignature",
        what,
        "let the agent sign the values of this very image (`pcrPolicy`), and put these signatures there",
    )
}
