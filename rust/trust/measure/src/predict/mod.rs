//! The prediction: from a boot path to the values that the registers will hold.

mod assumptions;
mod authorities;
mod beside;
mod command_line;
mod error;
mod firmware;
mod initrd;
mod os_separator;
mod pcr11;
mod pcr12;
mod pcr13;
mod pcr14;
mod pcr15;
mod pcr4;
mod pcr5;
mod pcr7;
mod pcr9;
mod profiles;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::PredictError;

use crate::bank::{Bank, Digest};
use crate::boot_path::{BootPath, BootTree, StartedImage, Uki};
use crate::measured::{self, Profile};
use crate::measurement::{Event, EventKind, Measurement, replay};
use crate::phase::PhasePath;
use crate::version::{Release, Version};

/// What a prediction shall say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The registers: of 4, 5, 7, 9 and 11 to 15, and of 0 to 3 and 6 by a log of the machine.
    #[serde(default = "default_pcrs")]
    pub pcrs: Vec<u32>,
    /// The banks.
    #[serde(default = "default_banks")]
    pub banks: Vec<Bank>,
    /// The moments at which PCR 11 is looked at; it changes with each phase, so each gives a leaf of its own.
    #[serde(default = "default_phases")]
    pub phases: Vec<PhasePath>,
    /// Whether the initrd's systemd is 262 or newer: then it extends PCRs 0 to 7, 9, 12, 13 and 14 by the word `os-separator` before
    /// anything is unlocked, so that they differ before the first phase and after it. To be said where the stub is 262 and later moments are
    /// asked for.
    #[serde(default)]
    pub os_separator: Option<bool>,
}

fn default_pcrs() -> Vec<u32> {
    vec![4, 7, 9, 11, 12, 13]
}

fn default_banks() -> Vec<Bank> {
    vec![Bank::Sha256]
}

fn default_phases() -> Vec<PhasePath> {
    vec![PhasePath::none()]
}

impl Default for Ask {
    /// PCRs 4, 7, 9, 11, 12 and 13 in the SHA-256 bank, before the first phase.
    fn default() -> Ask {
        Ask {
            pcrs: default_pcrs(),
            banks: default_banks(),
            phases: default_phases(),
            os_separator: None,
        }
    }
}

/// The values that a machine will have, and what they rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    let mut all = Prediction::default();
    for path in tree.paths() {
        all.add(predict(&path, ask)?);
    }
    if all.leaves.is_empty() {
        return Err(PredictError::NothingAsked);
    }
    Ok(all)
}

/// Predicts the asked registers of a machine that boots this way.
///
/// A UKI of several profiles, of which none is chosen, gives the leaves of each.
///
/// Refuses, rather than guesses, whenever a value would rest on something that was never compared with a real boot.
pub fn predict(boot: &BootPath, ask: &Ask) -> Result<Prediction, PredictError> {
    let chosen: Vec<BootPath> = profiles::choices(boot)?;
    let mut all = Prediction::default();
    match chosen.as_slice() {
        [] => all.add(predict_one(boot, ask)?),
        chosen => {
            for boot in chosen {
                all.add(predict_one(boot, ask)?);
            }
        }
    }
    Ok(all)
}

impl Prediction {
    /// Adds the leaves of another way, and its assumptions where they are new.
    fn add(&mut self, other: Prediction) {
        self.leaves.extend(other.leaves);
        for assumption in other.assumptions {
            if !self.assumptions.contains(&assumption) {
                self.assumptions.push(assumption);
            }
        }
    }
}

fn predict_one(boot: &BootPath, ask: &Ask) -> Result<Prediction, PredictError> {
    let pcrs = check(boot, ask)?;
    let mut events = Vec::new();
    for pcr in &pcrs {
        events.extend(events_of(boot, ask, *pcr)?);
    }
    require_banks(&events, &ask.banks)?;
    // Else all moments look the same.
    let moments = if pcrs.contains(&11) || os_separator::shows(ask) {
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
        assumptions: assumptions::of(boot, ask, &pcrs),
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
    beside::check_names(boot)?;
    if ask.pcrs.iter().any(|pcr| [4, 9, 12].contains(pcr)) {
        beside::check_admission(boot)?;
    }
    check_phases(boot, ask)?;
    os_separator::check(boot, ask)?;
    Ok(ask.pcrs.iter().copied().collect())
}

/// Without a UKI, systemd does not measure the boot phases, or not always.
fn check_phases(boot: &BootPath, ask: &Ask) -> Result<(), PredictError> {
    let phases = ask
        .phases
        .iter()
        .any(|phase| phase.words().next().is_some());
    match boot.program.uki().is_none() && phases && ask.pcrs.contains(&11) {
        true => Err(not_compared(
            11,
            "the phases of a boot without a UKI (systemd 257 measures none; 262 may)",
        )),
        false => Ok(()),
    }
}

/// The profile that a UKI boots with.
fn profile(pcr: u32, uki: &Uki) -> Result<Profile<'_>, PredictError> {
    if uki.measured.stub().release == Release::V252 && uki.measured.has_alternatives() {
        return Err(not_compared(
            pcr,
            "a UKI of several profiles with stub 252, which knows none",
        ));
    }
    let number = uki.profile.unwrap_or_default();
    uki.measured
        .profile(number)
        .ok_or(PredictError::NoProfile { number })
}

/// The boot loader that starts a kernel by itself.
fn loader_of_linux(boot: &BootPath) -> Result<&Version, PredictError> {
    let loader = boot.loader.as_ref().map(|loader| &loader.version);
    loader.ok_or(PredictError::Path {
        what: "a kernel that no boot loader starts",
    })
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
        15 => pcr15::events(boot, &ask.banks),
        _ => pcr13::events(boot, &ask.banks),
    }
}

/// The images that are loaded, in their order: shim, boot loader, program, then its addons, those of all UKIs first.
fn loaded(boot: &BootPath) -> impl Iterator<Item = &StartedImage> {
    let addons = beside::loaded(boot).into_iter();
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
    if pcrs.contains(&11) {
        events.extend(measured::phase_events(&ask.banks, phase));
    }
    events.extend(os_separator::events(ask, pcrs.iter().copied(), phase));
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
