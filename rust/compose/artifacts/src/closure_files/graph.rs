//! Which paths are looked through, and how each is reached from those that were named.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Error;

/// Paths and what they refer to.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Where ways begin.
    pub(crate) roots: Vec<PathBuf>,
    /// Each path with those that it refers to.
    pub(crate) references: BTreeMap<PathBuf, Vec<PathBuf>>,
}

/// The shortest way to each path.
#[derive(Debug)]
pub(crate) struct Ways(BTreeMap<PathBuf, Option<PathBuf>>);

/// The paths of a request and of its closure, each once.
///
/// # Errors
/// [`Error::Request`] when there are none, or an entry of the closure names none.
pub(crate) fn all_paths(paths: &[PathBuf], closure: Option<&Value>) -> Result<Vec<PathBuf>, Error> {
    let mut paths = paths.to_vec();
    for entry in entries(closure) {
        paths.push(path_of(entry)?);
    }
    paths.sort();
    paths.dedup();
    match paths.as_slice() {
        [] => Err(no_paths("nothing is named that could be looked at")),
        _ => Ok(paths),
    }
}

fn entries(closure: Option<&Value>) -> impl Iterator<Item = &Value> {
    closure.and_then(Value::as_array).into_iter().flatten()
}

fn path_of(entry: &Value) -> Result<PathBuf, Error> {
    let path = entry.get("path").and_then(Value::as_str);
    path.map(PathBuf::from)
        .ok_or_else(|| no_paths("an entry of `closure` has no `path`"))
}

fn no_paths(fact: &str) -> Error {
    Error::Request {
        fact: fact.to_owned(),
        help: "give `paths`, or as `closure` the list that exportReferencesGraph makes",
    }
}

impl Graph {
    /// The graph of a request: what Nix says of its closure, and the paths that are named beside it. Without such paths the ways begin
    /// at whatever nothing else refers to.
    ///
    /// # Errors
    /// As [`all_paths`].
    pub(crate) fn given(paths: &[PathBuf], closure: Option<&Value>) -> Result<Graph, Error> {
        let mut references: BTreeMap<PathBuf, Vec<PathBuf>> = all_paths(paths, closure)?
            .into_iter()
            .map(|path| (path, Vec::new()))
            .collect();
        for entry in entries(closure) {
            let listed = entry.get("references").and_then(Value::as_array);
            let listed = listed.into_iter().flatten().filter_map(Value::as_str);
            references.insert(path_of(entry)?, listed.map(PathBuf::from).collect());
        }
        let roots = match paths {
            [] => unreferenced(&references),
            named => named.to_vec(),
        };
        Ok(Graph { roots, references })
    }

    /// The paths.
    pub(crate) fn paths(&self) -> impl ExactSizeIterator<Item = &PathBuf> {
        self.references.keys()
    }

    /// The path of the graph in which this file lies, or which it is.
    pub(crate) fn holder(&self, file: &Path) -> Option<&PathBuf> {
        let mut folders = file.ancestors();
        folders.find_map(|folder| Some(self.references.get_key_value(folder)?.0))
    }

    /// The shortest way to each path that can be reached.
    pub(crate) fn ways(&self) -> Ways {
        let mut before: BTreeMap<PathBuf, Option<PathBuf>> = BTreeMap::new();
        let mut waiting = VecDeque::new();
        for root in &self.roots {
            before.insert(root.clone(), None);
            waiting.push_back(root);
        }
        while let Some(path) = waiting.pop_front() {
            for next in self.references.get(path).into_iter().flatten() {
                if !before.contains_key(next) {
                    before.insert(next.clone(), Some(path.clone()));
                    waiting.push_back(next);
                }
            }
        }
        Ways(before)
    }
}

impl Ways {
    /// The way to a path: from a root, which comes first, to the path itself. It is alone where no way is known.
    pub(crate) fn to(&self, path: &Path) -> Vec<PathBuf> {
        let mut way = vec![path.to_owned()];
        let mut here = path;
        while let Some(Some(before)) = self.0.get(here) {
            way.push(before.clone());
            here = before;
        }
        way.reverse();
        way
    }
}

/// Those to which none but themselves refer; all, where each is referred to.
fn unreferenced(references: &BTreeMap<PathBuf, Vec<PathBuf>>) -> Vec<PathBuf> {
    let others = |(path, to): (&PathBuf, &Vec<PathBuf>)| -> Vec<PathBuf> {
        to.iter().filter(|to| *to != path).cloned().collect()
    };
    let referred: BTreeSet<PathBuf> = references.iter().flat_map(others).collect();
    let free = references.keys().filter(|path| !referred.contains(*path));
    let free: Vec<PathBuf> = free.cloned().collect();
    match free.is_empty() {
        true => references.keys().cloned().collect(),
        false => free,
    }
}
