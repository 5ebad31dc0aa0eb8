//! What store paths refer to, from what they hold: the way in which Nix finds references, for closures of which nobody gives the graph.
//!
//! A path refers to another when the hash part of the other's name stands in its files, in the names of its files or in the targets of
//! its symbolic links.
//!
//! The whole store is looked at, where the machine has it: no caller's [`Files`](crate::Files) lead to what nobody named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use touchstone_store::base32;

use super::graph::Graph;
use super::walk;
use super::window::Window;
use crate::{Error, HostFiles};

/// Letters of a hash part.
const HASH: usize = 32;
/// How much is read at once.
const STEP: usize = 1 << 20;
/// What the files are read for.
const ROLE: &str = "file that is searched for references";

/// The closure of these paths, found by what they hold.
///
/// # Errors
/// [`Error::Request`] for a path that lies in no store; [`Error::Open`].
pub(crate) fn closure_of(paths: &[PathBuf]) -> Result<Graph, Error> {
    let mut graph = Graph::default();
    for path in paths {
        graph.roots.push(store_path(path)?);
    }
    let mut scanner = Scanner {
        known: neighbours(&graph.roots)?,
        window: Window::new(0, HASH, STEP),
    };
    let mut waiting = graph.roots.clone();
    while let Some(path) = waiting.pop() {
        if graph.references.contains_key(&path) {
            continue;
        }
        let references = scanner.references(&path)?;
        waiting.extend(references.iter().cloned());
        graph.references.insert(path, references);
    }
    Ok(graph)
}

/// The store path in which this lies, after all links: the outermost folder with such a name, for what lies in a store path may be called
/// like one.
fn store_path(path: &Path) -> Result<PathBuf, Error> {
    let real = fs::canonicalize(path).map_err(|source| failed(path, source))?;
    let folders = real.ancestors();
    let found = folders.filter(|folder| hash_part(folder).is_some()).last();
    found.map(Path::to_owned).ok_or_else(|| Error::Request {
        fact: format!("{} lies in no store: references cannot be followed from it", real.display()),
        help: "name a store path (32 letters, a `-` and a name), or look at these files alone, without `follow`",
    })
}

/// The hash part of a store path's name.
fn hash_part(path: &Path) -> Option<[u8; HASH]> {
    let name = path.file_name()?.as_bytes();
    let (hash, rest) = name.split_first_chunk::<HASH>()?;
    let digits = hash
        .iter()
        .all(|letter| base32::is_digit(char::from(*letter)));
    (digits && rest.first() == Some(&b'-')).then_some(*hash)
}

/// Everything that lies in the stores of these paths, by hash part.
fn neighbours(paths: &[PathBuf]) -> Result<BTreeMap<[u8; HASH], PathBuf>, Error> {
    let stores: BTreeSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    let mut known = BTreeMap::new();
    for store in stores {
        for entry in fs::read_dir(store).map_err(|source| failed(store, source))? {
            let path = entry.map_err(|source| failed(store, source))?.path();
            // Not the files that Nix puts beside a path while it is made.
            if let Some(hash) =
                hash_part(&path).filter(|_| path.extension() != Some("lock".as_ref()))
            {
                known.insert(hash, path);
            }
        }
    }
    Ok(known)
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Open {
        role: ROLE,
        file: path.to_owned(),
        source,
    }
}

struct Scanner {
    known: BTreeMap<[u8; HASH], PathBuf>,
    window: Window,
}

impl Scanner {
    /// What a path refers to, without itself.
    fn references(&mut self, path: &Path) -> Result<Vec<PathBuf>, Error> {
        let mut found = BTreeSet::new();
        let Self { known, window } = self;
        walk::everything(&HostFiles, path, &mut |file, kind| {
            let failed = |source| failed(file, source);
            scan(file.as_os_str().as_bytes(), known, &mut found);
            if kind.is_symlink() {
                let target = fs::read_link(file).map_err(failed)?;
                scan(target.as_os_str().as_bytes(), known, &mut found);
            } else if kind.is_file() {
                let mut content = File::open(file).map_err(failed)?;
                let look = &mut |view: &super::window::View<'_>| {
                    scan(view.fresh(HASH), known, &mut found);
                };
                window.each(&mut content, look).map_err(failed)?;
            }
            Ok(())
        })?;
        found.remove(path);
        Ok(found.into_iter().collect())
    }
}

/// Adds the paths whose hash parts stand in these bytes.
fn scan(bytes: &[u8], known: &BTreeMap<[u8; HASH], PathBuf>, found: &mut BTreeSet<PathBuf>) {
    let mut at = 0;
    while let Some(candidate) = bytes.get(at..).and_then(|rest| rest.first_chunk::<HASH>()) {
        // From behind: the last letter that is none of a hash says how far to go on.
        let other = candidate
            .iter()
            .rposition(|letter| !base32::is_digit(char::from(*letter)));
        match other {
            Some(place) => at += place + 1,
            None => {
                if let Some(path) = known.get(candidate) {
                    found.insert(path.clone());
                }
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

    use super::*;

    const A: &str = "0000000000000000000000000000000a-toplevel";
    const B: &str = "0000000000000000000000000000000b-etc";
    const C: &str = "0000000000000000000000000000000c-link";
    const D: &str = "0000000000000000000000000000000d-other";

    #[test]
    fn a_reference_is_a_hash_in_a_file_a_link_or_a_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().canonicalize().unwrap();
        let at = |name: &str| store.join(name);
        fs::create_dir(at(A)).unwrap();
        let far = format!("{}{B}", "x".repeat(STEP + 5));
        fs::write(at(A).join("text"), far).unwrap();
        std::os::unix::fs::symlink(format!("/elsewhere/{C}/x"), at(B)).unwrap();
        fs::write(at(C), "nothing").unwrap();
        fs::write(at(D), A).unwrap();
        let graph = closure_of(&[at(A)]).unwrap();
        assert_eq!(
            graph.paths().cloned().collect::<Vec<_>>(),
            [at(A), at(B), at(C)]
        );
        assert_eq!(graph.ways().to(&at(C)), [at(A), at(B), at(C)]);
        assert!(closure_of(&[store]).is_err());
    }

    #[test]
    fn what_lies_in_a_store_path_under_a_name_like_one_is_of_the_path_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().canonicalize().unwrap();
        let inner = store.join(A).join("copies").join(B);
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), C).unwrap();
        fs::write(store.join(C), "nothing").unwrap();
        let graph = closure_of(&[inner.join("file")]).unwrap();
        let paths: Vec<_> = graph.paths().cloned().collect();
        assert_eq!(paths, [store.join(A), store.join(C)]);
    }
}
