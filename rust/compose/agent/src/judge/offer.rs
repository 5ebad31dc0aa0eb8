//! Who a build is: the derivation for which a socket is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sha2::{Digest as _, Sha256};
use touchstone_store::{Digest, Proof, StorePath};

use super::grants::not_granted;
use super::inputs::Inputs;
use super::refuse::refuse;
use super::{Grants, Judge};
use crate::derivation::{LIMIT, Recipe};
use crate::identity::Derivation;
use crate::protocol::Refusal;

/// A build that may ask, and what rules have for it: made by [`Judge::offer`] alone.
#[derive(Debug)]
pub struct Admission {
    derivation: Derivation,
    recipe: Recipe,
    /// Their places in the policy, and their names.
    rules: Box<[usize]>,
    names: Box<[String]>,
    /// Whether some of them are for it because it was granted.
    granted: bool,
    /// What the sandbox of the build shows: it cannot change while the build runs.
    inputs: Mutex<Option<Arc<Inputs>>>,
}

impl Admission {
    /// What is built.
    pub fn derivation(&self) -> &Derivation {
        &self.derivation
    }

    /// The names of the rules that are for it.
    pub fn rules(&self) -> Vec<String> {
        self.names.to_vec()
    }

    /// Whether some of them are for it because it was granted: such a build is counted ([`Grants::count`]).
    pub fn is_granted(&self) -> bool {
        self.granted
    }

    /// Their places in the policy.
    pub(super) fn numbers(&self) -> &[usize] {
        &self.rules
    }

    /// The inputs of the build and all that they refer to.
    pub(super) fn inputs(&self, judge: &Judge) -> Result<Arc<Inputs>, Refusal> {
        // Whoever comes meanwhile waits, and does not look for himself.
        let mut known = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inputs) = &*known {
            return Ok(Arc::clone(inputs));
        }
        let direct = judge.direct_inputs(&self.derivation, &self.recipe)?;
        let inputs = Arc::new(judge.store.inputs(direct)?);
        Ok(Arc::clone(known.insert(inputs)))
    }
}

impl Judge {
    /// Whether the build of a derivation gets a socket, and what it may ask for there.
    ///
    /// # Errors
    /// [`Refusal`] when the derivation is not in the store, does not ask for the agent, may see more than its inputs, or no rule is for it.
    pub fn offer(
        &self,
        derivation: &Derivation,
        grants: &Grants,
        now: Instant,
    ) -> Result<Admission, Refusal> {
        let recipe = self.recipe(derivation)?;
        let mut missing = false;
        let (mut rules, mut names, mut granted) = (Vec::new(), Vec::new(), false);
        for (number, rule) in self.policy.document().rules.iter().enumerate() {
            let Some(wanted) = &rule.derivations else {
                continue;
            };
            if !wanted
                .names
                .iter()
                .any(|name| name.matches(derivation.name()))
            {
                continue;
            }
            let open = wanted.requesters.is_empty();
            if !open && !grants.has(derivation, &wanted.requesters, now) {
                missing = true;
                continue;
            }
            granted |= !open;
            rules.push(number);
            names.push(rule.name.clone());
        }
        match (rules.is_empty(), missing) {
            (false, _) => Ok(Admission {
                derivation: derivation.clone(),
                recipe: recipe.without_attributes(),
                rules: rules.into(),
                names: names.into(),
                granted,
                inputs: Mutex::default(),
            }),
            (true, true) => Err(not_granted(derivation)),
            (true, false) => Err(refuse(
                "policy.derivation",
                format!("no rule of the policy is for {derivation}"),
                "add its name to the `names` of a rule, or build it without the agent",
            )),
        }
    }

    /// What a derivation of the store says, when its build may ask for signatures at all.
    pub(super) fn recipe(&self, derivation: &Derivation) -> Result<Recipe, Refusal> {
        let recipe = self.read_recipe(derivation)?;
        let asks = recipe.asks_for_the_agent().map_err(|error| {
            let what = format!("{derivation}: {error}");
            refuse(
                "derivation.malformed",
                what,
                "write the attribute as a list of texts",
            )
        })?;
        if !asks {
            return Err(refuse(
                "derivation.feature",
                format!("{derivation} does not require the system feature touchstone-agent"),
                "add `requiredSystemFeatures = [ \"touchstone-agent\" ]` to the derivation",
            ));
        }
        if recipe.is_impure() {
            return Err(refuse(
                "derivation.impure",
                format!(
                    "the build of {derivation} may use the network or see more of the machine than its inputs"
                ),
                "sign in a derivation without `outputHash`, `__noChroot` and `__impure`",
            ));
        }
        if recipe.is_floating() {
            return Err(refuse(
                "derivation.floating",
                format!(
                    "the outputs of {derivation} are addressed by their content, and it is built under another name than its own"
                ),
                "sign in a derivation whose outputs are addressed by their inputs (without `__contentAddressed`)",
            ));
        }
        Ok(recipe)
    }

    /// Reads a derivation whose name was made of its content.
    fn read_recipe(&self, derivation: &Derivation) -> Result<Recipe, Refusal> {
        let mut recipes =
            self.read_recipes(&[derivation.path().clone()].into(), |recipe| recipe)?;
        let recipe = recipes.remove(derivation.path());
        recipe.ok_or_else(|| no_derivation(derivation.path()))
    }

    /// Reads derivations whose names were made of their contents, and keeps this of each.
    pub(super) fn read_recipes<T>(
        &self,
        paths: &BTreeSet<StorePath>,
        keep: impl Fn(Recipe) -> T,
    ) -> Result<BTreeMap<StorePath, T>, Refusal> {
        let known = self.store.entries(paths)?;
        let read = |path: &StorePath| {
            let known = known.get(path).ok_or_else(|| no_derivation(path))?;
            let bytes = self.store.read(path, LIMIT as u64)?;
            let digest: [u8; 32] = Sha256::digest(&bytes).into();
            match known.info.entry.addressed() {
                Some(Ok(Proof::Flat(Digest::Sha256(wanted)))) if wanted == digest => {}
                _ => {
                    return Err(refuse(
                        "derivation.changed",
                        format!("{path} is not what its name was made of"),
                        "somebody changed the store: run `nix-store --verify --check-contents`, and find out who",
                    ));
                }
            }
            let recipe = Recipe::read(&bytes).map_err(|error| {
                refuse(
                    "derivation.malformed",
                    format!("{path}: {error}"),
                    "sign in an ordinary derivation, whose inputs and outputs are known before it is built",
                )
            })?;
            Ok((path.clone(), keep(recipe)))
        };
        paths.iter().map(read).collect()
    }
}

fn no_derivation(path: &StorePath) -> Refusal {
    refuse(
        "derivation.unknown",
        format!("{path} is no valid path of this machine's store"),
        "copy it first: `nix copy --derivation --to ssh-ng://BUILDER` (a trusted user's build may arrive without it)",
    )
}
