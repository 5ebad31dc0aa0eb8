//! The prediction: from a boot path to the values that the registers will hold.

mod assumptions;
mod authorities;
mod command_line;
mod error;
mod firmware;
mod pcr11;
mod pcr12;
mod pcr13;
mod pcr14;
mod pcr4;
mod pcr5;
mod pcr7;
mod pcr9;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::PredictError;

use crate::bank::{Bank, Digest};
use crate::boot_path::{Addon, BootPath, BootTree, StartedImage};
use crate::measured;
use crate::measurement::{Event, EventKind, Measurement, replay};
use crate::phase::PhasePath;
use crate::version::Release;

/// What a prediction shall say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The registers: of 4, 5, 7, 9, 11, 12, 13 and 14, and of 0 to 3 and 6 by a log of the machine.
    #[serde(default = "default_pcrs")]
    pub pcrs: Vec<u32>,
    /// The banks.
    #[serde(default = "default_banks")]
    pub banks: Vec<Bank>,
    /// The moments at which PCR 11 is looked at; it changes with each phase, so each gives a leaf of its own.
    #[serde(default = "default_phases")]
    pub phases: Vec<PhasePath>,
}

fn default_pcrs() -> Vec<u32> {
    vec![4, 7, 9, 11, 12]
}

fn default_banks() -> Vec<Bank> {
    vec![Bank::Sha256]
}

fn default_phases() -> Vec<PhasePath> {
    vec![PhasePath::none()]
}

impl Default for Ask {
    /// PCRs 4, 7, 9, 11 and 12 in the SHA-256 bank, before the first phase.
    fn default() -> Ask {
        Ask {
            pcrs: default_pcrs(),
            banks: default_banks(),
            phases: default_phases(),
        }
    }
}

/// The values that a machine will have, and what they rest on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// One leaf for each way in which the boot may go.
    pub leaves: Vec<Leaf>,
    /// What must hold for the values to be right, in words.
    pub assumptions: Vec<String>,
}

/// One outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The choices that lead here, in words.
    pub path: Vec<String>,
    /// The registers' values, by number and bank.
    pub pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>>,
    /// What makes each value, in the order in which each register is extended.
    pub measurements: Vec<Measurement>,
}

/// Predicts the asked registers of a machine that may boot in any way of this tree: the leaves of all ways, in their order.
///
/// # Errors
/// As [`predict`], for the first way that is refused.
pub fn predict_tree(tree: &BootTree, ask: &Ask) -> Result<Prediction, PredictError> {
    let mut all = Prediction {
        leaves: Vec::new(),
        assumptions: Vec::new(),
    };
    for path in tree.paths() {
        let one = predict(&path, ask)?;
        all.leaves.extend(one.leaves);
        for assumption in one.assumptions {
            if !all.assumptions.contains(&assumption) {
                all.assumptions.push(assumption);
            }
        }
    }
    if all.leaves.is_empty() {
        return Err(PredictError::NothingAsked);
    }
    Ok(all)
}

/// Predicts the asked registers of a machine that boots this way.
///
/// Refuses, rather than guesses, whenever a value would rest on something that was never compared with a real boot.
pub fn predict(boot: &BootPath, ask: &Ask) -> Result<Prediction, PredictError> {
    let pcrs = check(boot, ask)?;
    let mut events = Vec::new();
    for pcr in &pcrs {
        events.extend(events_of(boot, ask, *pcr)?);
    }
    require_banks(&events, &ask.banks)?;
    // Without PCR 11 in the question, all moments look the same.
    let moments = if pcrs.contains(&11) {
        ask.phases.as_slice()
    } else {
        &[]
    };
    let leaves = match moments {
        [] => vec![leaf(boot.path.clone(), &pcrs, &ask.banks, &events)],
        moments => moments
            .iter()
            .map(|phase| leaf_at(boot, ask, &pcrs, &events, phase))
            .collect(),
    };
    Ok(Prediction {
        leaves,
        assumptions: assumptions::of(boot, &pcrs),
    })
}

fn check(boot: &BootPath, ask: &Ask) -> Result<BTreeSet<u32>, PredictError> {
    if ask.pcrs.is_empty() || ask.banks.is_empty() || ask.phases.is_empty() {
        return Err(PredictError::NothingAsked);
    }
    if let Some((pcr, why)) = ask
        .pcrs
        .iter()
        .find_map(|pcr| error::why_not(*pcr, boot).map(|why| (*pcr, why)))
    {
        return Err(PredictError::Pcr { pcr, why });
    }
    if let (Some(loader), Some(uki)) = (&boot.loader, boot.program.uki()) {
        let (loader, stub) = (&loader.version, uki.measured.stub());
        // 252 passes the command line on by other ways than its successors: mixtures were never compared.
        if (loader.release == Release::V252) != (stub.release == Release::V252) {
            return Err(PredictError::Mixture {
                loader: loader.text.clone(),
                stub: stub.text.clone(),
            });
        }
    }
    check_path(boot)?;
    Ok(ask.pcrs.iter().copied().collect())
}

/// Refuses the ways that were never compared with a real boot.
fn check_path(boot: &BootPath) -> Result<(), PredictError> {
    let never = [
        (
            boot.program.uki().is_none(),
            "a kernel that is started by itself",
        ),
        (
            !boot.shared.is_empty() || boot.program.uki().is_some_and(|uki| !uki.extra.is_empty()),
            "a UKI with addons, credentials or extensions",
        ),
    ];
    match never.into_iter().find(|(here, _)| *here) {
        Some((_, what)) => Err(PredictError::Path { what }),
        None => Ok(()),
    }
}

fn events_of(boot: &BootPath, ask: &Ask, pcr: u32) -> Result<Vec<Event>, PredictError> {
    match pcr {
        0..=3 | 6 => boot
            .firmware
            .as_ref()
            .map_or(Ok(Vec::new()), |log| firmware::events(log, pcr, &ask.banks)),
        4 => pcr4::events(boot, &ask.banks),
        5 => pcr5::events(boot, &ask.banks),
        7 => pcr7::events(boot, &ask.banks),
        9 => pcr9::events(boot, &ask.banks),
        11 => pcr11::events(boot),
        12 => pcr12::events(boot, &ask.banks),
        14 => pcr14::events(boot, &ask.banks),
        _ => pcr13::events(),
    }
}

/// The images that are loaded, in their order: shim, boot loader, program, then its addons, those of all UKIs first.
fn loaded(boot: &BootPath) -> impl Iterator<Item = &StartedImage> {
    let own = boot.program.uki().map(|uki| &uki.extra);
    let addons = [Some(&boot.shared), own].into_iter().flatten();
    let addons = addons.flat_map(|companions| {
        let mut addons: Vec<&Addon> = companions.addons.iter().collect();
        addons.sort_by_key(|addon| &addon.name);
        addons
    });
    boot.images().chain(addons.map(|addon| &addon.image))
}

fn not_compared(pcr: u32, what: &'static str) -> PredictError {
    PredictError::NotCompared { pcr, what }
}

/// The line between firmware and what it starts: PCRs 0 to 7.
fn separator(banks: &[Bank], pcr: u32) -> Event {
    Event::of(
        banks,
        pcr,
        EventKind::Separator,
        "the separator: four zero bytes",
        &[0; 4],
    )
}

/// Every event must be known in every bank: a value without one of its events would be wrong, not incomplete.
fn require_banks(events: &[Event], banks: &[Bank]) -> Result<(), PredictError> {
    for event in events {
        if let Some(bank) = banks
            .iter()
            .find(|bank| event.digests.get(**bank).is_none())
        {
            return Err(PredictError::NoDigest {
                bank: *bank,
                what: event.why.clone(),
            });
        }
    }
    Ok(())
}

fn leaf_at(
    boot: &BootPath,
    ask: &Ask,
    pcrs: &BTreeSet<u32>,
    events: &[Event],
    phase: &PhasePath,
) -> Leaf {
    let mut path = boot.path.clone();
    path.push(phase.describe());
    let mut events = events.to_vec();
    events.extend(measured::phase_events(&ask.banks, phase));
    events.sort_by_key(|event| event.pcr);
    leaf(path, pcrs, &ask.banks, &events)
}

fn leaf(path: Vec<String>, pcrs: &BTreeSet<u32>, banks: &[Bank], events: &[Event]) -> Leaf {
    let measurements: Vec<Measurement> = events
        .iter()
        .flat_map(|event| event.measurements(banks))
        .collect();
    let mut values: BTreeMap<u32, BTreeMap<Bank, Digest>> = BTreeMap::new();
    for bank in banks {
        let replayed = replay(*bank, &measurements);
        for pcr in pcrs {
            let value = replayed.get(pcr).copied().unwrap_or(Digest::zero(*bank));
            values.entry(*pcr).or_default().insert(*bank, value);
        }
    }
    Leaf {
        path,
        pcrs: values,
        measurements,
    }
}

#[cfg(test)]
mod tests;
