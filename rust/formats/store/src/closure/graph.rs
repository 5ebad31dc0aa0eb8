//! Which path refers to which, by numbers: 20 references of each of 5 000 paths take less than a megabyte.

use std::collections::BTreeMap;

use crate::manifest::{ClosureError, PATHS_LIMIT};
use crate::{Entry, StorePath};

/// What refers to what.
#[derive(Default)]
pub(super) struct Graph {
    /// The number of each path that was named, as what refers or as what is referred to.
    numbers: BTreeMap<StorePath, usize>,
    /// For each number where its references begin and end in `references`; none where the path itself did not come yet.
    lists: Vec<Option<(u32, u32)>>,
    /// Numbers, one list after the other.
    references: Vec<u32>,
}

impl Graph {
    /// Adds a path with its references. Paths come once each.
    ///
    /// # Errors
    /// [`ClosureError::TooMany`] when more paths are named than a closure has.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), ClosureError> {
        let begin = self.end()?;
        for reference in &entry.references {
            let number = self.number(reference);
            let number = u32::try_from(number).map_err(|_| ClosureError::TooMany)?;
            self.references.push(number);
        }
        let end = self.end()?;
        let number = self.number(&entry.path);
        if let Some(list) = self.lists.get_mut(number) {
            *list = Some((begin, end));
        }
        match self.numbers.len() > PATHS_LIMIT {
            true => Err(ClosureError::TooMany),
            false => Ok(()),
        }
    }

    fn end(&self) -> Result<u32, ClosureError> {
        u32::try_from(self.references.len()).map_err(|_| ClosureError::TooMany)
    }

    fn number(&mut self, path: &StorePath) -> usize {
        if let Some(&number) = self.numbers.get(path) {
            return number;
        }
        let number = self.lists.len();
        self.numbers.insert(path.clone(), number);
        self.lists.push(None);
        number
    }

    /// Checks that the paths are exactly what the toplevel reaches.
    ///
    /// # Errors
    /// [`ClosureError`].
    pub(super) fn is_closure_of(&self, toplevel: &StorePath) -> Result<(), ClosureError> {
        let missing = || ClosureError::ToplevelMissing(toplevel.clone());
        let first = *self.numbers.get(toplevel).ok_or_else(missing)?;
        self.list(first).ok_or_else(missing)?;
        let mut reached = vec![false; self.lists.len()];
        let mut waiting = vec![first];
        while let Some(number) = waiting.pop() {
            let new = reached
                .get_mut(number)
                .is_some_and(|reached| !std::mem::replace(reached, true));
            if !new {
                continue;
            }
            for &reference in self.list(number).unwrap_or_default() {
                let reference = reference as usize;
                if self.list(reference).is_none() {
                    return Err(self.incomplete(number, reference));
                }
                waiting.push(reference);
            }
        }
        let beside = |(_, number): &(&StorePath, &usize)| reached.get(**number) != Some(&true);
        match self.numbers.iter().find(beside) {
            Some((path, _)) => Err(ClosureError::Unreachable(path.clone())),
            None => Ok(()),
        }
    }

    /// The references of a path, if it came.
    fn list(&self, number: usize) -> Option<&[u32]> {
        let (begin, end) = (*self.lists.get(number)?)?;
        self.references.get(begin as usize..end as usize)
    }

    fn incomplete(&self, path: usize, missing: usize) -> ClosureError {
        match (self.path(path), self.path(missing)) {
            (Some(path), Some(missing)) => ClosureError::Incomplete { path, missing },
            // Every number is a path's.
            _ => ClosureError::TooMany,
        }
    }

    fn path(&self, wanted: usize) -> Option<StorePath> {
        let found = self.numbers.iter().find(|(_, number)| **number == wanted);
        found.map(|(path, _)| path.clone())
    }
}
