//! `policy.create`: one policy for the running, next and kept generations.

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::policy::{Machine, Outcome, PcrPolicy, check_pcrs};
use touchstone_measure::{Bank, Leaf, PhasePath, Prediction};

use super::{MachineState, NoPolicy, read_json, refused, shown};
use crate::{Context, Error, Files, output};

/// The request of `policy.create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreatePolicy {
    /// What is admitted: every leaf of each prediction, and nothing else.
    pub variants: Vec<Variant>,
    /// The registers: 7, 11, 12 and 13 when not given. PCR 11 alone is refused: it holds the UKI, but neither Secure Boot nor what came
    /// from outside of the UKI.
    #[serde(default = "default_pcrs")]
    pub pcrs: BTreeSet<u32>,
    /// The registers' bank: `sha256` when not given, never `sha1`.
    #[serde(default = "sha256")]
    pub bank: Bank,
    /// The hash of the policy, and the `nameAlg` of what will be sealed: `sha256` when not given, never `sha1`.
    #[serde(default = "sha256")]
    pub hash: Bank,
    /// The machine as it runs, which must be admitted.
    pub running: Option<Running>,
    /// Says that the policy is made without the running generation: for a machine that was never booted.
    #[serde(default)]
    pub without_running: bool,
    /// The variant that boots next: refused when it is not among them.
    pub next: Option<String>,
    /// Variants that are kept: refused when one is not among them.
    #[serde(default)]
    pub kept: Vec<String>,
    /// Where the answer is written as well.
    pub output: Option<PathBuf>,
    /// Where the bytes of the policy's digest are written as well: what `tpm2_create --policy` takes.
    pub digest: Option<PathBuf>,
}

/// A prediction, and what its outcomes are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Variant {
    /// The name, such as `generation 41`.
    pub name: String,
    /// The file with the answer of `measure.predict`.
    pub prediction: PathBuf,
}

/// How the running generation is known: by the name of its variant, or by what the machine holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Running {
    /// The name of a variant, or of one outcome of it (`VARIANT: CHOICE → CHOICE`).
    pub variant: Option<String>,
    /// As [`MachineState::values`].
    pub values: Option<PathBuf>,
    /// As [`MachineState::phase`].
    pub phase: Option<PhasePath>,
    /// As [`MachineState::event_log`].
    pub event_log: Option<PathBuf>,
}

fn default_pcrs() -> BTreeSet<u32> {
    BTreeSet::from([7, 11, 12, 13])
}

fn sha256() -> Bank {
    Bank::Sha256
}

/// An outcome beside the leaf that it was made of, and the variant's name.
struct Candidate<'a> {
    variant: &'a str,
    leaf: Leaf,
    outcome: Outcome,
}

impl CreatePolicy {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Policy`] with the reason; see [`Error`] for the rest. Nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<PcrPolicy, Error> {
        context.progress.phase("making the policy");
        check_pcrs(self.bank, &self.pcrs).map_err(|source| refused(None, source))?;
        match (&self.running, self.without_running) {
            (None, false) => return Err(refused(None, NoPolicy::NoRunning)),
            (Some(_), true) => return Err(refused(None, NoPolicy::RunningAndWithout)),
            _ => (),
        }
        self.require_variants()?;
        let candidates = self.candidates(context.files)?;
        let running = match &self.running {
            Some(running) => self.find_running(context.files, running, &candidates)?,
            None => Vec::new(),
        };
        let outcomes = candidates.into_iter().map(|candidate| candidate.outcome);
        let policy = PcrPolicy::new(self.hash, self.bank, outcomes.collect(), running)
            .map_err(|source| refused(None, source))?;
        if let Some(path) = &self.output {
            let mut text = serde_json::to_vec_pretty(&policy).unwrap_or_default();
            text.push(b'\n');
            output::bytes(context.files, path, &text)?;
        }
        if let Some(path) = &self.digest {
            output::bytes(context.files, path, policy.policy.digest().as_bytes())?;
        }
        Ok(policy)
    }

    /// What must be admitted is there.
    fn require_variants(&self) -> Result<(), Error> {
        let next = self.next.iter().map(|name| ("next", name));
        let kept = self.kept.iter().map(|name| ("kept", name));
        let missing = next
            .chain(kept)
            .find(|(_, name)| self.variants.iter().all(|variant| variant.name != **name));
        match missing {
            None => Ok(()),
            Some((role, name)) => Err(self.not_a_variant(role, name)),
        }
    }

    fn not_a_variant(&self, role: &'static str, name: &str) -> Error {
        let variants: Vec<String> = self
            .variants
            .iter()
            .map(|variant| format!("`{}`", variant.name))
            .collect();
        refused(
            None,
            NoPolicy::NotAVariant {
                role,
                name: name.to_owned(),
                variants: variants.join(", "),
            },
        )
    }

    fn candidates(&self, files: &dyn Files) -> Result<Vec<Candidate<'_>>, Error> {
        let mut candidates = Vec::new();
        for variant in &self.variants {
            let file = Some(variant.prediction.as_path());
            let prediction: Prediction = read_json(files, "prediction", &variant.prediction)?;
            if prediction.leaves.is_empty() {
                return Err(refused(file, NoPolicy::NoLeaf(variant.name.clone())));
            }
            for leaf in prediction.leaves {
                let name = outcome_name(&variant.name, &leaf);
                let outcome = Outcome::of_leaf(&name, &leaf, self.bank, &self.pcrs)
                    .map_err(|source| refused(file, source))?;
                candidates.push(Candidate {
                    variant: &variant.name,
                    leaf,
                    outcome,
                });
            }
        }
        Ok(candidates)
    }

    /// The names of the outcomes that are the machine as it runs: at least one.
    fn find_running(
        &self,
        files: &dyn Files,
        running: &Running,
        candidates: &[Candidate<'_>],
    ) -> Result<Vec<String>, Error> {
        let state = MachineState {
            values: running.values.clone(),
            phase: running.phase.clone(),
            event_log: running.event_log.clone(),
        };
        match &running.variant {
            Some(name) if state.is_empty() => self.find_by_name(name, candidates),
            Some(_) => Err(Error::Request {
                fact:
                    "the running generation is named, and what the machine holds is given as well"
                        .to_owned(),
                help: "give `variant`, or `values`, or `eventLog`",
            }),
            None => find_by_values(&state.read(files, self.bank)?, candidates),
        }
    }

    fn find_by_name(&self, name: &str, candidates: &[Candidate<'_>]) -> Result<Vec<String>, Error> {
        let named = candidates
            .iter()
            .filter(|candidate| candidate.variant == name || candidate.outcome.name == name);
        let found: Vec<String> = named
            .map(|candidate| candidate.outcome.name.clone())
            .collect();
        match found.is_empty() {
            false => Ok(found),
            true => Err(self.not_a_variant("running", name)),
        }
    }
}

/// A leaf's name: the variant's, and the choices that lead to it.
fn outcome_name(variant: &str, leaf: &Leaf) -> String {
    match leaf.path.is_empty() {
        true => variant.to_owned(),
        false => format!("{variant}: {}", leaf.path.join(" → ")),
    }
}

fn find_by_values(machine: &Machine, candidates: &[Candidate<'_>]) -> Result<Vec<String>, Error> {
    let compared: Vec<_> = candidates
        .iter()
        .map(|candidate| {
            let differences = machine.differences(&candidate.leaf, &candidate.outcome);
            (&candidate.outcome.name, differences)
        })
        .collect();
    let same: Vec<String> = compared
        .iter()
        .filter(|(_, differences)| differences.is_empty())
        .map(|(name, _)| (*name).clone())
        .collect();
    if !same.is_empty() {
        return Ok(same);
    }
    let nearest = compared
        .into_iter()
        .min_by_key(|(_, differences)| differences.len());
    let Some((name, differences)) = nearest else {
        return Err(refused(
            None,
            touchstone_measure::policy::PolicyError::NoAlternative,
        ));
    };
    let in_words: Vec<String> = differences
        .iter()
        .map(|difference| {
            format!(
                "PCR {} holds {}, predicted was {}",
                difference.pcr,
                shown(difference.machine),
                difference.predicted
            )
        })
        .collect();
    Err(refused(
        None,
        NoPolicy::RunsSomethingElse {
            name: name.clone(),
            differences: in_words.join("; "),
        },
    ))
}
