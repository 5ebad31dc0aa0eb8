//! What moved between two predictions, and which component moved it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Reference, ReferenceLeaf, align};
use crate::bank::{Bank, Digest};
use crate::measurement::Measurement;
use crate::predict::Prediction;

/// One side of a comparison: leaves by generation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side(BTreeMap<Option<String>, Vec<ReferenceLeaf>>);

impl From<&Prediction> for Side {
    fn from(prediction: &Prediction) -> Side {
        let leaves = prediction.leaves.iter().map(|leaf| ReferenceLeaf {
            path: leaf.path.clone(),
            pcrs: leaf.pcrs.clone(),
            measurements: leaf.measurements.clone(),
        });
        Side(BTreeMap::from([(None, leaves.collect())]))
    }
}

impl From<&Reference> for Side {
    fn from(reference: &Reference) -> Side {
        let generations = reference.generations.iter();
        let named = generations.map(|one| (Some(one.name.clone()), one.leaves.clone()));
        Side(named.collect())
    }
}

/// What differs between an expected prediction and the actual one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Changes {
    /// Whether every leaf has the values that were expected.
    pub unchanged: bool,
    /// The registers whose values are others, with what moved them.
    pub moved: Vec<Moved>,
    /// Leaves that were expected and are not there.
    pub gone: Vec<Place>,
    /// Leaves that are there and were not expected.
    pub new: Vec<Place>,
}

/// A register whose value is another, for the same reasons in some leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moved {
    /// The register.
    pub pcr: u32,
    /// What moved it, a sentence each.
    pub causes: Vec<String>,
    /// Where.
    pub leaves: Vec<MovedLeaf>,
}

/// A leaf in which a register's value is another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MovedLeaf {
    /// The leaf.
    #[serde(flatten)]
    pub place: Place,
    /// What was expected: bank → value; empty when the register was not predicted.
    pub expected: BTreeMap<Bank, Digest>,
    /// What it is.
    pub actual: BTreeMap<Bank, Digest>,
}

/// A leaf by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Place {
    /// The generation, in a document of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// The choices that lead to the leaf, in words.
    pub path: Vec<String>,
}

/// Compares two predictions, or two reference documents.
pub fn compare(expected: &Side, actual: &Side) -> Changes {
    let mut comparison = Changes {
        unchanged: true,
        moved: Vec::new(),
        gone: Vec::new(),
        new: Vec::new(),
    };
    let names: BTreeSet<&Option<String>> = expected.0.keys().chain(actual.0.keys()).collect();
    for name in names {
        let of = |side: &'_ Side| side.0.get(name).cloned().unwrap_or_default();
        comparison.generation(name, &of(expected), &of(actual));
    }
    let Changes {
        moved, gone, new, ..
    } = &comparison;
    comparison.unchanged = moved.is_empty() && gone.is_empty() && new.is_empty();
    comparison
}

impl Changes {
    /// One generation: leaves of the same path belong together; of the others the first to the first, and so on.
    fn generation(
        &mut self,
        name: &Option<String>,
        expected: &[ReferenceLeaf],
        actual: &[ReferenceLeaf],
    ) {
        let mut rest: Vec<&ReferenceLeaf> = actual.iter().collect();
        let mut without = Vec::new();
        for leaf in expected {
            match rest.iter().position(|other| other.path == leaf.path) {
                Some(at) => self.leaf(name, leaf, rest.remove(at)),
                None => without.push(leaf),
            }
        }
        let mut rest = rest.into_iter();
        for leaf in without {
            match rest.next() {
                Some(other) => self.leaf(name, leaf, other),
                None => self.gone.push(place(name, leaf)),
            }
        }
        self.new.extend(rest.map(|leaf| place(name, leaf)));
    }

    fn leaf(&mut self, name: &Option<String>, expected: &ReferenceLeaf, actual: &ReferenceLeaf) {
        let pcrs: BTreeSet<u32> = expected
            .pcrs
            .keys()
            .chain(actual.pcrs.keys())
            .copied()
            .collect();
        for pcr in pcrs {
            let of = |leaf: &ReferenceLeaf| leaf.pcrs.get(&pcr).cloned().unwrap_or_default();
            let (before, after) = (of(expected), of(actual));
            if before == after {
                continue;
            }
            let causes = causes(pcr, (expected, &before), (actual, &after));
            let leaf = MovedLeaf {
                place: place(name, actual),
                expected: before,
                actual: after,
            };
            let known = |moved: &&mut Moved| moved.pcr == pcr && moved.causes == causes;
            match self.moved.iter_mut().find(known) {
                Some(moved) => moved.leaves.push(leaf),
                None => self.moved.push(Moved {
                    pcr,
                    causes,
                    leaves: vec![leaf],
                }),
            }
        }
    }

    /// The comparison in words, a line each; none when nothing changed.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for moved in &self.moved {
            let cause = |cause: &String| format!("PCR {}: {cause}", moved.pcr);
            lines.extend(moved.causes.iter().map(cause));
            let places: Vec<String> = moved
                .leaves
                .iter()
                .map(|leaf| leaf.place.to_string())
                .filter(|place| !place.is_empty())
                .collect();
            if !places.is_empty() {
                lines.push(format!("  for {}", places.join("; ")));
            }
        }
        let gone = self.gone.iter();
        lines.extend(gone.map(|place| format!("no longer there: {place}")));
        let new = self.new.iter();
        lines.extend(new.map(|place| format!("not expected: {place}")));
        lines
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.join(" → ");
        match &self.generation {
            Some(generation) if path.is_empty() => f.write_str(generation),
            Some(generation) => write!(f, "{generation}: {path}"),
            None => f.write_str(&path),
        }
    }
}

fn place(generation: &Option<String>, leaf: &ReferenceLeaf) -> Place {
    Place {
        generation: generation.clone(),
        path: leaf.path.clone(),
    }
}

/// A leaf with its values of the register in question.
type Register<'a> = (&'a ReferenceLeaf, &'a BTreeMap<Bank, Digest>);

/// Why a register's values differ.
fn causes(pcr: u32, expected: Register<'_>, actual: Register<'_>) -> Vec<String> {
    let ((expected, before), (actual, after)) = (expected, actual);
    if before.is_empty() {
        return vec!["predicted now, and was not expected".to_owned()];
    }
    if after.is_empty() {
        return vec!["expected, and not predicted now".to_owned()];
    }
    let differ = |bank: &&Bank| before.get(bank) != after.get(bank);
    let Some(bank) = before
        .keys()
        .filter(|bank| after.contains_key(bank))
        .find(differ)
    else {
        return vec![format!(
            "predicted in other banks: {} → {}",
            names(before),
            names(after)
        )];
    };
    let made = |leaf| measurements(leaf, pcr, *bank);
    let (one, other): (Vec<&Measurement>, Vec<&Measurement>) = (made(expected), made(actual));
    let value = |values: &BTreeMap<Bank, Digest>| {
        let value = values.get(bank);
        value.map(Digest::to_string).unwrap_or_default()
    };
    // Without its measurements, a register that was touched explains nothing.
    let unexplained =
        |made: &[&Measurement], value: &str| made.is_empty() && value.contains(|c| c != '0');
    let (from, to) = (value(before), value(after));
    if unexplained(&one, &from) || unexplained(&other, &to) {
        return vec![format!(
            "{from} → {to}; a document without measurements does not say why"
        )];
    }
    match align::changes(&one, &other) {
        changes if changes.is_empty() => vec![format!(
            "{from} → {to}, although the same is measured: one of the documents was changed by hand"
        )],
        changes => changes,
    }
}

fn measurements(leaf: &ReferenceLeaf, pcr: u32, bank: Bank) -> Vec<&Measurement> {
    let of =
        |measurement: &&Measurement| measurement.pcr == pcr && measurement.digest.bank() == bank;
    leaf.measurements.iter().filter(of).collect()
}

fn names(values: &BTreeMap<Bank, Digest>) -> String {
    let names: Vec<&str> = values.keys().map(|bank| bank.name()).collect();
    names.join(", ")
}
