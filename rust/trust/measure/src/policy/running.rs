//! The machine as it runs, beside what was predicted of it.

use std::collections::BTreeMap;

use super::Outcome;
use crate::bank::{Bank, Digest};
use crate::measured::phase_events;
use crate::measurement::{EventKind, Measurement, replay};
use crate::phase::PhasePath;
use crate::predict::Leaf;

/// What a machine's registers hold, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The registers' values, all of one bank.
    pub values: BTreeMap<u32, Digest>,
    /// When they were seen.
    pub moment: Moment,
}

/// When a register was looked at: PCR 11 changes with each phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At the moment that each leaf is about.
    AsPredicted,
    /// Before systemd started: what the log of the firmware adds up to.
    Firmware,
    /// At the end of this path of phases.
    Phase(PhasePath),
}

/// A register that holds something other than was predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The register.
    pub pcr: u32,
    /// What the machine holds; none when that is not known.
    pub machine: Option<Digest>,
    /// What was predicted for that moment.
    pub predicted: Digest,
}

impl Machine {
    /// In which of the outcome's registers the machine differs from the leaf that the outcome was made of.
    pub fn differences(&self, leaf: &Leaf, outcome: &Outcome) -> Vec<Difference> {
        let difference = |(pcr, value): (&u32, &Digest)| {
            let predicted = self.expected(leaf, *pcr, *value);
            let machine = self.values.get(pcr).copied();
            (machine != Some(predicted)).then_some(Difference {
                pcr: *pcr,
                machine,
                predicted,
            })
        };
        outcome.values.iter().filter_map(difference).collect()
    }

    /// What a leaf that holds `value` at its own moment would hold at the machine's.
    fn expected(&self, leaf: &Leaf, pcr: u32, value: Digest) -> Digest {
        match &self.moment {
            Moment::AsPredicted => value,
            Moment::Firmware => without_phases(leaf, pcr, value),
            Moment::Phase(phase) if pcr == 11 => {
                let bank = value.bank();
                let words = phase_events(&[bank], phase);
                let digests = words.iter().filter_map(|event| event.digests.get(bank));
                digests.fold(without_phases(leaf, pcr, value), |value, word| {
                    value.extended(&word)
                })
            }
            Moment::Phase(_) => value,
        }
    }
}

/// The register's value before the phases that the leaf counts in.
fn without_phases(leaf: &Leaf, pcr: u32, value: Digest) -> Digest {
    let bank: Bank = value.bank();
    let of_register =
        |measurement: &&Measurement| measurement.pcr == pcr && measurement.digest.bank() == bank;
    let (phases, others): (Vec<Measurement>, Vec<Measurement>) = leaf
        .measurements
        .iter()
        .filter(of_register)
        .cloned()
        .partition(|measurement| {
            matches!(measurement.kind, EventKind::Phase | EventKind::OsSeparator)
        });
    if phases.is_empty() {
        return value;
    }
    let replayed = replay(bank, &others);
    replayed.get(&pcr).copied().unwrap_or(Digest::zero(bank))
}
