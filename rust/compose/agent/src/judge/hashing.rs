//! Inputs that are hashed anew while the image is compared with them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread::{self, Scope, ScopedJoinHandle};

use touchstone_nix_database::Known;
use touchstone_store::StorePath;

use super::Store;
use super::inputs::Inputs;
use super::store::comes_from;
use crate::policy::Origin;
use crate::protocol::Refusal;

/// Most threads of one request; who has more to hash waits for it.
const THREADS_MAX: usize = 4;

/// What is being hashed for an image. What was compared meanwhile counts only when [`finish`](Self::finish) has seen it all.
pub(super) struct Hashing<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    store: &'env Store,
    inputs: &'env Inputs,
    running: RefCell<BTreeMap<StorePath, ScopedJoinHandle<'scope, Result<(), Refusal>>>>,
}

impl<'scope, 'env> Hashing<'scope, 'env> {
    /// Nothing yet.
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        store: &'env Store,
        inputs: &'env Inputs,
    ) -> Self {
        Self {
            scope,
            store,
            inputs,
            running: RefCell::default(),
        }
    }

    /// The inputs.
    pub(super) fn inputs(&self) -> &'env Inputs {
        self.inputs
    }

    /// The store that they lie in.
    pub(super) fn store(&self) -> &'env Store {
        self.store
    }

    /// Sees that an input comes from where it may, and begins to hash it, unless that was done already.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(super) fn begin(&self, known: &'env Known, origin: &Origin) -> Result<(), Refusal> {
        comes_from(known, origin)?;
        let entry = &known.info.entry;
        let mut running = self.running.borrow_mut();
        if running.contains_key(&entry.path) || self.inputs.is_hashed(&entry.path) {
            return Ok(());
        }
        let (store, inputs) = (self.store, self.inputs);
        let hash = move || inputs.hash(store, entry);
        let thread = match running.len() < THREADS_MAX {
            true => thread::Builder::new().spawn_scoped(self.scope, hash).ok(),
            false => None,
        };
        match thread {
            Some(thread) => drop(running.insert(entry.path.clone(), thread)),
            None => hash()?,
        }
        Ok(())
    }

    /// Waits for all.
    ///
    /// # Errors
    /// [`Refusal`] when one of them is not what it was.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        let joined = |thread: ScopedJoinHandle<'scope, Result<(), Refusal>>| {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        let all: Vec<_> = self.running.into_inner().into_values().collect();
        all.into_iter().try_for_each(joined)
    }
}
