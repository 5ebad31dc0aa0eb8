//! From some paths to all that they reach.

use std::collections::BTreeSet;

use super::{Refused, Registry};
use crate::{NarInfo, StorePath};

/// Visits the roots and all that they reach, each path once. `visit` is given the path, and the one that refers to it unless it is a root; it
/// answers with what the path refers to, which is nothing where the walk must not go on.
///
/// # Errors
/// That of the first visit that fails.
pub fn walk<E>(
    roots: impl IntoIterator<Item = StorePath>,
    mut visit: impl FnMut(&StorePath, Option<&StorePath>) -> Result<BTreeSet<StorePath>, E>,
) -> Result<(), E> {
    let mut seen = BTreeSet::new();
    let mut waiting = Vec::new();
    for root in roots {
        if seen.insert(root.clone()) {
            let references = visit(&root, None)?;
            waiting.push((root, references));
        }
    }
    while let Some((path, references)) = waiting.pop() {
        for reference in references {
            if seen.insert(reference.clone()) {
                let further = visit(&reference, Some(&path))?;
                waiting.push((reference, further));
            }
        }
    }
    Ok(())
}

impl Registry {
    /// What is said of a path that a walk has reached; `referrer` is none for a root.
    ///
    /// # Errors
    /// [`Refused::Unknown`] for a root and [`Refused::Incomplete`] for another path of which nothing is said; [`Refused::Registry`].
    pub fn reached(
        &self,
        path: &StorePath,
        referrer: Option<&StorePath>,
    ) -> Result<NarInfo, Refused> {
        let unknown = || match referrer {
            None => Refused::Unknown(path.clone()),
            Some(referrer) => Refused::Incomplete {
                path: referrer.clone(),
                missing: path.clone(),
            },
        };
        self.get(path)?.ok_or_else(unknown)
    }
}
