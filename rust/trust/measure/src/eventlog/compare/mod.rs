//! A log beside predictions: which outcome it is, or what is otherwise than in the nearest, in words.
//!
//! Digests alone decide. Words come from the prediction's reasons, from what the log says of data whose digest it has, and
//! from digests that are known by name ([`Known`]); where nothing of that says more, the words say so.

mod align;
mod difference;
mod known;
mod logged;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use difference::{Difference, DifferenceKind};
pub use known::Known;

use super::userspace::UserspaceLog;
use super::{EventLog, EventLogError};
use crate::bank::{Bank, Digest};
use crate::measurement::Measurement;
use crate::predict::{Leaf, Prediction};
use logged::Logged;

/// Banks in the order in which they are explained: the first that log and prediction have.
const PREFERRED: [Bank; 4] = [Bank::Sha256, Bank::Sha384, Bank::Sha512, Bank::Sha1];

/// Values of registers: PCR → bank → value.
pub type Values = BTreeMap<u32, BTreeMap<Bank, Digest>>;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The firmware's log.
    pub log: &'a EventLog,
    /// systemd's log of the same boot, when it is there.
    pub userspace: Option<&'a UserspaceLog>,
    /// Predictions and how they are called.
    pub predictions: &'a [(String, Prediction)],
    /// Digests and lists that are known by name.
    pub known: &'a Known,
    /// What the machine's registers hold; empty when that is not known.
    pub machine: &'a Values,
}

/// How a log and predictions compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Whether every register of an outcome has the predicted value in every bank that was compared, and the log adds up to
    /// the machine's values where these were given.
    pub fits: bool,
    /// How the prediction is called whose outcome fits, or is the nearest.
    pub prediction: String,
    /// The outcome's path, in words.
    pub path: Vec<String>,
    /// The banks that were compared: those that both log and outcome have.
    pub banks: Vec<Bank>,
    /// Every register of the outcome, with what is otherwise; nothing where it fits.
    pub registers: BTreeMap<u32, Vec<Difference>>,
    /// Registers of which the log does not add up to what the machine holds, in words; only where the machine's values were
    /// given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub not_replayed: BTreeMap<u32, String>,
}

/// Why a log cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// There is nothing to compare it with.
    #[error("the predictions have no outcome: give at least one prediction of `measure predict`")]
    NoLeaf,
    /// Log and predictions have no bank in common.
    #[error(
        "the log and no outcome of the predictions have a bank in common: predict for a bank that the log has"
    )]
    NoBank,
    /// The log cannot be replayed.
    #[error(transparent)]
    Log(#[from] EventLogError),
}

/// Compares a log with predictions.
///
/// # Errors
/// [`CompareError`] when nothing can be compared.
pub fn compare(question: &Question<'_>) -> Result<Comparison, CompareError> {
    let values = values(question)?;
    let not_replayed = not_replayed(question, &values);
    let mut leaves = leaves(question).peekable();
    leaves.peek().ok_or(CompareError::NoLeaf)?;
    let outcomes = leaves.filter_map(|(name, leaf)| Outcome::of(question, &values, name, leaf));
    let mut nearest: Option<(usize, Outcome<'_>)> = None;
    for outcome in outcomes {
        let distance = outcome.distance();
        if nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
            nearest = Some((distance, outcome));
        }
        if distance == 0 {
            break;
        }
    }
    let (distance, outcome) = nearest.ok_or(CompareError::NoBank)?;
    Ok(Comparison {
        fits: distance == 0 && not_replayed.is_empty(),
        prediction: outcome.name.to_owned(),
        path: outcome.leaf.path.clone(),
        registers: outcome.registers(),
        banks: outcome.banks.into_iter().collect(),
        not_replayed,
    })
}

/// Every outcome, with its prediction's name.
fn leaves<'a>(question: &Question<'a>) -> impl Iterator<Item = (&'a str, &'a Leaf)> + use<'a> {
    let all = question.predictions.iter();
    all.flat_map(|(name, prediction)| {
        let leaves = prediction.leaves.iter();
        leaves.map(move |leaf| (name.as_str(), leaf))
    })
}

/// What both logs add up to, in the firmware's banks.
fn values(question: &Question<'_>) -> Result<Values, EventLogError> {
    let mut values = Values::new();
    for bank in Bank::ALL.into_iter().filter(|bank| question.log.has(*bank)) {
        let mut pcrs = question.log.replay(bank)?;
        if let Some(log) = question.userspace {
            log.replay(bank, &mut pcrs);
        }
        for (pcr, value) in pcrs {
            values.entry(pcr).or_default().insert(bank, value);
        }
    }
    Ok(values)
}

/// The value of a register; one that is not there was never extended.
fn value(values: &Values, pcr: u32, bank: Bank) -> Digest {
    let of = values.get(&pcr).and_then(|banks| banks.get(&bank));
    of.copied().unwrap_or(Digest::zero(bank))
}

/// Where log and machine disagree.
fn not_replayed(question: &Question<'_>, values: &Values) -> BTreeMap<u32, String> {
    let mut found = BTreeMap::new();
    for (pcr, machine) in question.machine {
        // Others may be extended by programs that keep no log, and Linux extends PCR 10 (IMA) without this one.
        let has_a_log = matches!(pcr, 0..=9 | 11..=14) || values.contains_key(pcr);
        let banks = machine.iter().filter(|(bank, _)| question.log.has(**bank));
        let mut others = banks.filter(|(bank, holds)| value(values, *pcr, **bank) != **holds);
        if let Some((bank, holds)) = others.next().filter(|_| has_a_log) {
            let later = question.userspace.is_none()
                && is_extended_later(*pcr, value(values, *pcr, *bank), *holds);
            let hint = match later {
                true => "systemd extends it later: give its log as well",
                false => "the log is not of this boot, or not whole",
            };
            let text =
                format!("the log does not add up to what the machine holds in {bank}; {hint}");
            found.insert(*pcr, text);
        }
    }
    found
}

/// Whether systemd made the one value of the other: by phases and identities in PCRs 11 and 15, by the lines that systemd 262
/// draws in others.
fn is_extended_later(pcr: u32, logged: Digest, holds: Digest) -> bool {
    let lines: [&[&str]; 4] = [
        &["os-separator"],
        &["nvpcr-separator"],
        &["os-separator", "nvpcr-separator"],
        &["nvpcr-separator", "os-separator"],
    ];
    let extended = |words: &[&str]| {
        let hash = |word: &&str| logged.bank().hash(word.as_bytes());
        words
            .iter()
            .map(hash)
            .fold(logged, |value, digest| value.extended(&digest))
    };
    matches!(pcr, 11 | 15) || lines.into_iter().any(|words| extended(words) == holds)
}

/// A log beside one outcome.
struct Outcome<'a> {
    question: &'a Question<'a>,
    values: &'a Values,
    name: &'a str,
    leaf: &'a Leaf,
    /// The banks that both have.
    banks: BTreeSet<Bank>,
    /// The bank whose measurements are put side by side where it differs.
    preferred: Bank,
}

impl<'a> Outcome<'a> {
    /// None when log and outcome have no bank in common.
    fn of(
        question: &'a Question<'a>,
        values: &'a Values,
        name: &'a str,
        leaf: &'a Leaf,
    ) -> Option<Outcome<'a>> {
        let predicted = leaf.pcrs.values().flat_map(BTreeMap::keys).copied();
        let banks: BTreeSet<Bank> = predicted.filter(|bank| question.log.has(*bank)).collect();
        let preferred = PREFERRED.into_iter().find(|bank| banks.contains(bank))?;
        Some(Outcome {
            question,
            values,
            name,
            leaf,
            banks,
            preferred,
        })
    }

    /// How many measurements are otherwise; zero when every value is the predicted one.
    fn distance(&self) -> usize {
        let of = |pcr: &u32| match self.differing(*pcr) {
            None => 0,
            Some(bank) => {
                let ours: Vec<Digest> = self.predicted(*pcr, bank).map(|one| one.digest).collect();
                let theirs: Vec<Digest> = logged::digests(self.question, *pcr, bank).collect();
                let gaps = align::gaps(&ours, &theirs);
                let sizes = gaps.iter().map(|gap| gap.first.len().max(gap.second.len()));
                sizes.sum::<usize>().max(1)
            }
        };
        self.leaf.pcrs.keys().map(of).sum()
    }

    /// What is otherwise, register by register.
    fn registers(&self) -> BTreeMap<u32, Vec<Difference>> {
        let differences = |pcr: u32| {
            let Some(bank) = self.differing(pcr) else {
                return Vec::new();
            };
            let predicted: Vec<&Measurement> = self.predicted(pcr, bank).collect();
            let logged = Logged::all(self.question, pcr, bank);
            match difference::between(self.question, &predicted, &logged) {
                found if found.is_empty() => vec![Difference::of_value(bank)],
                found => found,
            }
        };
        let pcrs = self.leaf.pcrs.keys();
        pcrs.map(|pcr| (*pcr, differences(*pcr))).collect()
    }

    /// A bank in which a register has another value than predicted: the preferred one where it is among them.
    fn differing(&self, pcr: u32) -> Option<Bank> {
        let predicted = self.leaf.pcrs.get(&pcr)?;
        let differs = |bank: &Bank| {
            let value = predicted.get(bank);
            value.is_some_and(|value| *value != self::value(self.values, pcr, *bank))
        };
        let mut banks = [self.preferred]
            .into_iter()
            .chain(self.banks.iter().copied());
        banks.find(differs)
    }

    fn predicted(&self, pcr: u32, bank: Bank) -> impl Iterator<Item = &'a Measurement> + use<'a> {
        let of = move |one: &&Measurement| one.pcr == pcr && one.digest.bank() == bank;
        self.leaf.measurements.iter().filter(of)
    }
}

#[cfg(test)]
mod tests;
