//! What is otherwise between the measurements of one register.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::align::{Gap, gaps};
use super::logged::{Class, Logged};
use super::{Question, words};
use crate::bank::{Bank, Digest};
use crate::eventlog::describe::printable;
use crate::measurement::Measurement;

/// More differences of one register than these are counted, and not told.
const TOLD: usize = 100;

/// In which way a register is otherwise than predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DifferenceKind {
    /// What was predicted is not in the log.
    Missing,
    /// What is in the log was not predicted.
    Additional,
    /// It is in the log at another place.
    Moved,
    /// Something else stands in its place.
    Changed,
    /// The same measurements, and another value.
    Value,
    /// How many more there are.
    More,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// In which way.
    pub kind: DifferenceKind,
    /// What it is about, in a line without control characters.
    pub says: String,
    /// The digest that was predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<Digest>,
    /// The digest that is in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<Digest>,
}

impl Difference {
    fn new(
        kind: DifferenceKind,
        says: &str,
        predicted: Option<&Measurement>,
        logged: Option<&Logged<'_>>,
    ) -> Difference {
        Difference {
            kind,
            says: printable(says),
            predicted: predicted.map(|one| one.digest),
            logged: logged.map(|one| one.digest),
        }
    }

    /// The register differs although its measurements do not.
    pub(super) fn of_value(bank: Bank) -> Difference {
        let says = format!(
            "the measurements are those predicted, and the {bank} value is another: the register did not begin as predicted, or the prediction contradicts itself"
        );
        Difference::new(DifferenceKind::Value, &says, None, None)
    }
}

/// The differences of one register, in order.
pub(super) fn between(
    question: &Question<'_>,
    predicted: &[&Measurement],
    logged: &[Logged<'_>],
) -> Vec<Difference> {
    let ours: Vec<Digest> = predicted.iter().map(|one| one.digest).collect();
    let theirs: Vec<Digest> = logged.iter().map(|one| one.digest).collect();
    let gaps = gaps(&ours, &theirs);
    let mut moved = Moved::of(&gaps, &ours, &theirs);
    let found = gaps
        .iter()
        .flat_map(|gap| in_gap(question, predicted, logged, gap, &mut moved));
    let mut told: Vec<Difference> = Vec::new();
    let mut more: usize = 0;
    for difference in found {
        match told.len() < TOLD {
            true => told.push(difference),
            false => more = more.saturating_add(1),
        }
    }
    if more > 0 {
        let says = format!("{more} more differences are not listed");
        told.push(Difference::new(DifferenceKind::More, &says, None, None));
    }
    told
}

/// Digests that are missing at one place and additional at another.
struct Moved {
    /// Each digest as often as it was moved.
    left: Vec<Digest>,
    /// Those whose arrival is still to be passed over.
    arriving: Vec<Digest>,
}

impl Moved {
    fn of(gaps: &[Gap], ours: &[Digest], theirs: &[Digest]) -> Moved {
        let missing = gaps.iter().flat_map(|gap| &gap.first);
        let mut additional: Vec<&Digest> = gaps
            .iter()
            .flat_map(|gap| &gap.second)
            .filter_map(|place| theirs.get(*place))
            .collect();
        additional.sort();
        let mut left = Vec::new();
        for digest in missing.filter_map(|place| ours.get(*place)) {
            if let Ok(place) = additional.binary_search(&digest) {
                additional.remove(place);
                left.push(*digest);
            }
        }
        Moved {
            arriving: left.clone(),
            left,
        }
    }

    fn leaves(&mut self, digest: &Digest) -> bool {
        take(&mut self.left, digest)
    }

    fn arrives(&mut self, digest: &Digest) -> bool {
        take(&mut self.arriving, digest)
    }
}

fn take(from: &mut Vec<Digest>, digest: &Digest) -> bool {
    let place = from.iter().position(|one| one == digest);
    place.map(|place| from.swap_remove(place)).is_some()
}

fn in_gap(
    question: &Question<'_>,
    predicted: &[&Measurement],
    logged: &[Logged<'_>],
    gap: &Gap,
    moved: &mut Moved,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let arrived: Vec<&Logged<'_>> = gap.second.iter().filter_map(|at| logged.get(*at)).collect();
    let mut arrived: Vec<&Logged<'_>> = arrived
        .into_iter()
        .filter(|one| !moved.arrives(&one.digest))
        .collect();
    for one in gap.first.iter().filter_map(|place| predicted.get(*place)) {
        if moved.leaves(&one.digest) {
            let says = format!("{} comes at another place than predicted", one.why);
            found.push(Difference::new(
                DifferenceKind::Moved,
                &says,
                Some(one),
                None,
            ));
            continue;
        }
        let class = Class::of_predicted(one);
        let stands = arrived.iter().position(|other| other.class == class);
        found.push(match stands {
            Some(place) => {
                let other = arrived.remove(place);
                let says = words::changed(question, one, other);
                Difference::new(DifferenceKind::Changed, &says, Some(one), Some(other))
            }
            None => {
                let says = words::missing(question, one);
                Difference::new(DifferenceKind::Missing, &says, Some(one), None)
            }
        });
    }
    found.extend(arrived.into_iter().map(|other| {
        let says = words::additional(question, other);
        Difference::new(DifferenceKind::Additional, &says, None, Some(other))
    }));
    found
}
