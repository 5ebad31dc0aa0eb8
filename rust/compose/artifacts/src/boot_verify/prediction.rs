//! Whether a prediction is what the files measure now.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use touchstone_measure::reference::compare::{Side, compare};
use touchstone_measure::reference::{Named, Reference, Selection};
use touchstone_measure::{Bank, Digest, EventKind, Leaf, PhasePath};

use super::VerifyArtifacts;
use super::document::{Booted, Documented};
use super::files::Intact;
use super::finding::{Report, Rule};
use crate::firmware::Measure;
use crate::machine::ShimFiles;
use crate::predict::{Entry, PredictPcrs, Prediction};
use crate::{Context, Error, reference};

/// Looks at the prediction of a UKI, where there is one.
pub(super) fn verify(
    request: &VerifyArtifacts,
    documented: &Documented,
    booted: &Booted<'_>,
    intact: &Intact<'_>,
    report: &mut Report,
    context: &Context<'_>,
) {
    let Some(named) = booted.pcrs else {
        if request.measure.is_some() {
            let uki = booted.image.file.path.as_str();
            report.otherwise(uki, Rule::Prediction, "boot.json names no prediction of it");
        }
        return;
    };
    let name = named.path.as_str();
    if !intact.contains(name) {
        return;
    }
    let path = documented.folder.join(name);
    let pinned: Prediction = match reference::read(context.files, "prediction", &path) {
        Ok(pinned) => pinned,
        Err(error) => return report.otherwise(name, Rule::Prediction, error),
    };
    if let Err(error) = adds_up(&pinned) {
        return report.otherwise(name, Rule::Prediction, error);
    }
    let question = Question {
        request,
        documented,
        booted,
        context,
    };
    let outcome = match &request.measure {
        Some(measure) => question.everything(&pinned, measure),
        None => question.what_needs_no_variables(&pinned),
    };
    match outcome {
        Ok(differences) => {
            for difference in differences {
                report.otherwise(name, Rule::Prediction, difference);
            }
        }
        Err(error) => report.otherwise(name, Rule::Prediction, error),
    }
    match request.measure {
        Some(_) => report.compared(format!("{name}: every value, predicted again")),
        None => {
            report.compared(format!("{name}: PCR 11 and the images of PCR 4"));
            report
                .note("without `measure`, the other registers were not predicted again".to_owned());
        }
    }
}

/// A prediction whose measurements do not make its values was changed by hand.
fn adds_up(prediction: &Prediction) -> Result<(), String> {
    let named = Named {
        name: "generation".to_owned(),
        prediction: prediction.clone(),
    };
    let document = Reference::of(&[named], &Selection::default());
    document.map(drop).map_err(|error| error.to_string())
}

struct Question<'a> {
    request: &'a VerifyArtifacts,
    documented: &'a Documented,
    booted: &'a Booted<'a>,
    context: &'a Context<'a>,
}

impl Question<'_> {
    fn predict(&self, measure: Measure) -> Result<Prediction, Error> {
        let touchstone = &self.documented.touchstone;
        let path = |name: &str| self.documented.folder.join(name);
        let loader = touchstone.loader.as_ref();
        let shim = touchstone.shim.as_ref().map(|shim| ShimFiles {
            image: path(shim.file.path.as_str()),
            ..self.request.shim.clone().unwrap_or_default()
        });
        let request = PredictPcrs {
            shim,
            loader: loader.map(|loader| path(loader.file.path.as_str())),
            entries: self.entries(&path(self.booted.image.file.path.as_str())),
            measure,
            ..PredictPcrs::default()
        };
        request.run(self.context)
    }

    /// What the prediction is of: one profile, or all that are no specialisations.
    fn entries(&self, uki: &Path) -> Vec<Entry> {
        let entry = |profile: Option<usize>| Entry {
            uki: Some(uki.to_owned()),
            profile,
            device_tree: self.request.device_tree,
            ..Entry::default()
        };
        let (profile, others) = (self.booted.profile, &self.booted.others);
        if profile.is_none() && others.is_empty() {
            return vec![entry(None)];
        }
        let wanted = |id: &str| match profile {
            Some(one) => one.as_str() == id,
            None => !others.contains(id),
        };
        let profiles = self.booted.image.profiles.iter().enumerate();
        let chosen = profiles.filter(|(_, profile)| wanted(profile.id.as_str()));
        chosen.map(|(number, _)| entry(Some(number))).collect()
    }

    /// With the variables and settings of the prediction.
    fn everything(&self, pinned: &Prediction, measure: &Measure) -> Result<Vec<String>, Error> {
        let now = self.predict(measure.clone())?;
        let changes = compare(&Side::from(pinned), &Side::from(&now));
        Ok(changes.lines())
    }

    /// PCR 11, which follows from the UKI alone, and the images that are measured into PCR 4.
    fn what_needs_no_variables(&self, pinned: &Prediction) -> Result<Vec<String>, Error> {
        let mut differences = self.pcr11(pinned)?;
        let image = &self.booted.image;
        let loader = self.documented.touchstone.loader.as_ref();
        for image in loader.into_iter().chain([*image]) {
            let digest = image.authenticode_sha256.as_str();
            let lacks = |leaf: &&Leaf| {
                let wanted = |one: &&touchstone_measure::Measurement| {
                    one.pcr == 4
                        && one.kind == EventKind::Image
                        && one.digest.bank() == Bank::Sha256
                };
                let mut images = leaf.measurements.iter().filter(wanted).peekable();
                images.peek().is_some() && !images.any(|one| one.digest.to_string() == digest)
            };
            if let Some(leaf) = pinned.leaves.iter().find(lacks) {
                differences.push(format!(
                    "PCR 4 is predicted without {} (Authenticode digest {digest}), for {}",
                    image.file.path.as_str(),
                    leaf.path.join(" → ")
                ));
            }
        }
        Ok(differences)
    }

    fn pcr11(&self, pinned: &Prediction) -> Result<Vec<String>, Error> {
        let with_pcr11 = || {
            let leaves = pinned.leaves.iter();
            leaves.filter_map(|leaf| Some((leaf, leaf.pcrs.get(&11)?)))
        };
        let phases: Vec<PhasePath> = with_pcr11().filter_map(|(leaf, _)| phase(leaf)).collect();
        let banks: BTreeSet<Bank> = with_pcr11()
            .flat_map(|(_, value)| value.keys().copied())
            .collect();
        if phases.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.predict(Measure {
            pcrs: Some(vec![11]),
            banks: Some(banks.into_iter().collect()),
            phases: Some(without_repetition(phases)),
            // It moves other registers, and would be asked for.
            os_separator: Some(false),
            ..Measure::default()
        })?;
        // The same moment may have several values: one a profile.
        let mut values: BTreeMap<PhasePath, Vec<&BTreeMap<Bank, Digest>>> = BTreeMap::new();
        for leaf in &now.leaves {
            let (Some(phase), Some(value)) = (phase(leaf), leaf.pcrs.get(&11)) else {
                continue;
            };
            values.entry(phase).or_default().push(value);
        }
        let differs = |(leaf, value): &(&Leaf, &BTreeMap<Bank, Digest>)| {
            let known = phase(leaf).and_then(|phase| values.get(&phase));
            !known.is_some_and(|known| known.contains(value))
        };
        let lines = with_pcr11().filter(differs).map(|(leaf, value)| {
            let values = value.iter().map(|(bank, value)| format!("{bank}:{value}"));
            format!(
                "PCR 11 is predicted as {}, which the UKI does not give, for {}",
                values.collect::<Vec<_>>().join(", "),
                leaf.path.join(" → ")
            )
        });
        Ok(lines.collect())
    }
}

/// The moment of a leaf: the last of the choices that lead to it.
fn phase(leaf: &Leaf) -> Option<PhasePath> {
    match leaf.path.last()?.as_str() {
        "before the first phase" => Some(PhasePath::none()),
        words => words.strip_prefix("phase ")?.parse().ok(),
    }
}

fn without_repetition(mut phases: Vec<PhasePath>) -> Vec<PhasePath> {
    phases.sort();
    phases.dedup();
    phases
}
