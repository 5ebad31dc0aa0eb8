//! Component files of systemd-pcrlock (`*.pcrlock`), from predictions.
//!
//! Form: systemd.pcrlock(5), a subset of TCG's Canonical Event Log in JSON; read by systemd-pcrlock 257 and 262. What that program does
//! with them decides how they are cut (found by running both, docs/pcrlock.md):
//!
//! - the records of one file are looked for in the event log *in their order*, and a file that is not found whole drops all of its
//!   registers from the policy. A prediction knows the order within a register and not between registers, so each register has
//!   components of its own;
//! - variants of different components are combined freely, so everything of one register that changes together stands in one component;
//! - a register with more than 8 possible values makes the whole policy fail, so that is refused here.

mod component;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::bank::{Bank, Digest};
use crate::measurement::{EventKind, Measurement};
use crate::reference::{Named, ReferenceError, check_names, check_values};
use component::{Component, component};

/// How many values of a register systemd-pcrlock's policies can admit.
pub const MOST_VALUES: usize = 8;

/// One component file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcrlockFile {
    /// Its name below `/var/lib/pcrlock.d`, such as `650-uki-pcr11.pcrlock.d/42.pcrlock`.
    pub name: String,
    /// The generations whose boot it describes; none where it describes all.
    pub generations: Vec<String>,
    /// The measurements, in their order.
    pub records: Vec<Record>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Record {
    /// The register.
    pub pcr: u32,
    /// Its digests, one a bank.
    pub digests: Vec<RecordDigest>,
}

/// A digest of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordDigest {
    /// The bank.
    pub hash_alg: Bank,
    /// The digest.
    pub digest: Digest,
}

impl PcrlockFile {
    /// The file's content.
    ///
    /// # Errors
    /// None that a value of this type can cause.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        #[derive(Serialize)]
        struct File<'a> {
            records: &'a [Record],
        }
        let mut json = serde_json::to_vec(&File {
            records: &self.records,
        })?;
        json.push(b'\n');
        Ok(json)
    }
}

/// All component files of some predictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcrlock {
    /// The files, by name.
    pub files: Vec<PcrlockFile>,
    /// PCR → how many values systemd-pcrlock will admit at one moment of the boot.
    pub values: BTreeMap<u32, usize>,
    /// Registers of the predictions for which no file is written: systemd-pcrlock takes them from the machine itself.
    pub left_out: Vec<u32>,
}

/// Why there are no component files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PcrlockError {
    /// A prediction cannot be relied on.
    #[error(transparent)]
    Prediction(#[from] ReferenceError),
    /// A measurement stands where systemd-pcrlock has no place for it.
    #[error(
        "systemd-pcrlock has no component for this measurement of PCR {pcr}: {why}; leave the PCR out of the predictions"
    )]
    NoComponent {
        /// The register.
        pcr: u32,
        /// What is measured.
        why: String,
    },
    /// The banks of a prediction have different events.
    #[error("the banks of the prediction of {generation} do not have the same events in PCR {pcr}")]
    Banks {
        /// The generation.
        generation: String,
        /// The register.
        pcr: u32,
    },
    /// systemd-pcrlock's policies do not reach so far.
    #[error(
        "PCR {pcr} has {values} values in these generations, and a policy of systemd-pcrlock admits {MOST_VALUES} at most: give fewer generations, or use a policy of Touchstone's, which admits any number"
    )]
    TooMany {
        /// The register.
        pcr: u32,
        /// How many values it has.
        values: usize,
    },
}

/// The component files of these predictions.
///
/// # Errors
/// [`PcrlockError`].
pub fn files(generations: &[Named]) -> Result<Pcrlock, PcrlockError> {
    check_names(generations)?;
    check_values(generations)?;
    let mut variants: BTreeMap<Component, Vec<Variant>> = BTreeMap::new();
    let mut left_out = Vec::new();
    for named in generations {
        for (number, leaf) in (1..).zip(&named.prediction.leaves) {
            for pcr in leaf.pcrs.keys() {
                if component::is_of_the_machine(*pcr) {
                    left_out.push(*pcr);
                    continue;
                }
                let events = events(named, *pcr, &leaf.measurements)?;
                let records = by_component(*pcr, events)?;
                for (component, records) in records {
                    add(&mut variants, component, named, number, records);
                }
            }
        }
    }
    left_out.sort_unstable();
    left_out.dedup();
    let values = values(&variants)?;
    let mut files: Vec<PcrlockFile> = variants
        .into_iter()
        .filter(|(_, variants)| variants.iter().any(|variant| !variant.records.is_empty()))
        .flat_map(|(component, variants)| component.files(generations.len(), variants))
        .collect();
    let banks = banks_of(generations);
    files.extend(component::separators(&banks));
    if values.contains_key(&5) {
        files.push(component::exit(&banks));
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Pcrlock {
        files,
        values,
        left_out,
    })
}

/// One alternative of a component.
struct Variant {
    /// How it is called: after the first leaf that has it.
    name: String,
    generations: Vec<String>,
    records: Vec<Record>,
}

fn add(
    variants: &mut BTreeMap<Component, Vec<Variant>>,
    component: Component,
    named: &Named,
    number: usize,
    records: Vec<Record>,
) {
    let known = variants.entry(component).or_default();
    if let Some(variant) = known.iter_mut().find(|variant| variant.records == records) {
        if variant.generations.last() != Some(&named.name) {
            variant.generations.push(named.name.clone());
        }
        return;
    }
    let taken = known
        .iter()
        .any(|variant| variant.generations.first() == Some(&named.name));
    known.push(Variant {
        name: match taken {
            false => named.name.clone(),
            true => format!("{}.{number}", named.name),
        },
        generations: vec![named.name.clone()],
        records,
    });
}

/// A register's events, phases aside: systemd describes those itself.
fn events<'a>(
    named: &Named,
    pcr: u32,
    measurements: &'a [Measurement],
) -> Result<Vec<(&'a Measurement, Record)>, PcrlockError> {
    let mut banks: BTreeMap<Bank, Vec<&Measurement>> = BTreeMap::new();
    for measurement in measurements.iter().filter(|one| one.pcr == pcr) {
        let bank = measurement.digest.bank();
        banks.entry(bank).or_default().push(measurement);
    }
    let unlike = || PcrlockError::Banks {
        generation: named.name.clone(),
        pcr,
    };
    let length = banks.values().map(Vec::len).max().unwrap_or(0);
    let mut events = Vec::new();
    for place in 0..length {
        let in_banks: Option<Vec<&Measurement>> =
            banks.values().map(|one| one.get(place).copied()).collect();
        let in_banks = in_banks.ok_or_else(unlike)?;
        let first = *in_banks.first().ok_or_else(unlike)?;
        if in_banks.iter().any(|other| other.kind != first.kind) {
            return Err(unlike());
        }
        let digests = in_banks.iter().map(|one| RecordDigest {
            hash_alg: one.digest.bank(),
            digest: one.digest,
        });
        let digests = digests.collect();
        events.push((first, Record { pcr, digests }));
    }
    Ok(events)
}

/// The records of each component of a register. A component that other leaves may have is there without records.
fn by_component(
    pcr: u32,
    events: Vec<(&Measurement, Record)>,
) -> Result<BTreeMap<Component, Vec<Record>>, PcrlockError> {
    let mut records: BTreeMap<Component, Vec<Record>> = component::of_register(pcr)
        .map(|component| (component, Vec::new()))
        .collect();
    let homeless = |measurement: &Measurement| PcrlockError::NoComponent {
        pcr,
        why: measurement.why.clone(),
    };
    let (mut behind_separator, mut exits) = (false, 0);
    for (measurement, record) in events {
        exits += usize::from(measurement.kind == EventKind::ExitBootServices);
        // systemd knows of one attempt, which succeeds; it takes the first of several for that one.
        if exits > 2 {
            return Err(homeless(measurement));
        }
        match component(measurement, behind_separator) {
            component::Place::Of(component) => records.entry(component).or_default().push(record),
            component::Place::Systemds => {}
            component::Place::None => return Err(homeless(measurement)),
        }
        behind_separator |= measurement.kind == EventKind::Separator;
    }
    Ok(records)
}

/// How many values systemd-pcrlock makes of a register: variants of its components combine freely.
fn values(
    variants: &BTreeMap<Component, Vec<Variant>>,
) -> Result<BTreeMap<u32, usize>, PcrlockError> {
    let mut values: BTreeMap<u32, usize> = BTreeMap::new();
    for (component, variants) in variants {
        let count = values.entry(component.pcr()).or_insert(1);
        *count = count.saturating_mul(variants.len());
    }
    match values.iter().find(|(_, count)| **count > MOST_VALUES) {
        Some((pcr, values)) => Err(PcrlockError::TooMany {
            pcr: *pcr,
            values: *values,
        }),
        None => Ok(values),
    }
}

fn banks_of(generations: &[Named]) -> Vec<Bank> {
    let leaves = generations
        .iter()
        .flat_map(|named| &named.prediction.leaves);
    let banks = leaves
        .flat_map(|leaf| leaf.pcrs.values())
        .flat_map(BTreeMap::keys);
    let banks: BTreeSet<Bank> = banks.copied().collect();
    banks.into_iter().collect()
}
