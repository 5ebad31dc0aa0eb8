//! What the sandbox of a build shows: its inputs, and all that they refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use touchstone_nix_database::Known;
use touchstone_store::{Entry, StorePath};

use super::refuse::refuse;
use super::store::comes_from;
use super::{Client, Judge, Store};
use crate::derivation::{Output, Recipe};
use crate::identity::Derivation;
use crate::policy::Origin;
use crate::protocol::Refusal;

/// Paths that whoever asks may speak of, with what Nix' database says of them.
#[derive(Debug)]
pub(super) struct Inputs {
    known: BTreeMap<StorePath, Known>,
    /// Those that were hashed anew. While a build runs, nothing that it sees is replaced.
    hashed: Mutex<BTreeSet<StorePath>>,
}

impl Inputs {
    /// What is known of a path, if it is one of them.
    pub(super) fn get(&self, path: &StorePath) -> Option<&Known> {
        self.known.get(path)
    }

    /// Sees that an input comes from where it may, and is what the database says of it: each is hashed once.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn verify(
        &self,
        store: &Store,
        known: &Known,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        comes_from(known, origin)?;
        match self.is_hashed(&known.info.entry.path) {
            true => Ok(()),
            false => self.hash(store, &known.info.entry),
        }
    }

    /// Whether a path was hashed anew already.
    pub(super) fn is_hashed(&self, path: &StorePath) -> bool {
        self.hashed().contains(path)
    }

    /// Hashes a path anew.
    ///
    /// # Errors
    /// [`Refusal`] when it is not what the entry says.
    pub(super) fn hash(&self, store: &Store, entry: &Entry) -> Result<(), Refusal> {
        store.rehash(entry)?;
        self.hashed().insert(entry.path.clone());
        Ok(())
    }

    fn hashed(&self) -> MutexGuard<'_, BTreeSet<StorePath>> {
        self.hashed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// These paths and all that they refer to.
    pub(super) fn inputs(&self, roots: BTreeSet<StorePath>) -> Result<Inputs, Refusal> {
        Ok(Inputs {
            known: self.reached(&roots)?,
            hashed: Mutex::default(),
        })
    }
}

impl Judge {
    /// What a client may speak of: a build of its inputs, a person of any path of the store.
    pub(super) fn sight(
        &self,
        client: &Client,
        paths: BTreeSet<StorePath>,
    ) -> Result<Arc<Inputs>, Refusal> {
        match client {
            Client::Build(admission) => admission.inputs(self),
            Client::User(_) => Ok(Arc::new(self.store.inputs(paths)?)),
        }
    }

    /// The outputs of input derivations that a derivation uses, and its other inputs.
    pub(super) fn direct_inputs(
        &self,
        derivation: &Derivation,
        recipe: &Recipe,
    ) -> Result<BTreeSet<StorePath>, Refusal> {
        let mut inputs = recipe.input_sources.clone();
        let paths = recipe.input_derivations.keys().cloned().collect();
        let made = self.read_recipes(&paths, |made| made.outputs)?;
        for (input, outputs) in &recipe.input_derivations {
            for output in outputs {
                let made = made.get(input).and_then(|made| made.get(output));
                let Some(path) = made.and_then(Output::path) else {
                    return Err(refuse(
                        "derivation.input",
                        format!(
                            "the output `{output}` of {input}, an input of {derivation}, is addressed by its content: the derivation does not say where it is"
                        ),
                        "use inputs that are addressed by theirs",
                    ));
                };
                inputs.insert(path.clone());
            }
        }
        Ok(inputs)
    }
}
