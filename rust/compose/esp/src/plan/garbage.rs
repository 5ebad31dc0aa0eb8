//! What goes: leftovers of interrupted runs, garbage, and what replaced files held. And what must not go, because on FAT two names may
//! share their clusters after an interrupted rename.

use std::collections::{BTreeMap, BTreeSet};

use super::Warning;
use super::writes::Wanted;
use crate::observed::Present;
use crate::{Desired, Digests, EspPath, FileSystem, Observed, PathError, names};

/// What goes.
#[derive(Default)]
pub(super) struct Garbage {
    pub(super) leftovers: Vec<EspPath>,
    pub(super) aside: Vec<(EspPath, EspPath)>,
    pub(super) removals: Vec<EspPath>,
    pub(super) folders: Vec<EspPath>,
    pub(super) warnings: Vec<Warning>,
    /// The sizes of leftovers and of garbage, in bytes.
    pub(super) sizes: (Vec<u64>, Vec<u64>),
}

/// Finds it.
pub(super) fn find<F: FileSystem>(
    fs: &F,
    desired: &Desired,
    observed: &Observed,
    digests: &mut Digests,
    wanted: &mut Wanted<'_>,
) -> Result<Garbage, PathError> {
    let goes = unwanted(desired, observed, wanted);
    let mut twins = Twins {
        fs,
        observed,
        digests,
    };
    let mut garbage = Garbage::default();
    for (path, unwanted) in &goes {
        let of_path = twins.of(path, unwanted.present);
        match of_path.iter().find(|twin| !goes.contains_key(*twin)) {
            Some(stays) => garbage.stays(unwanted.name.clone(), stays.clone()),
            None if of_path.is_empty() && unwanted.is_leftover => garbage.leftover(unwanted),
            None if of_path.is_empty() || names::staged(unwanted.name.name()) => {
                garbage.removal(unwanted.name.clone(), unwanted.present);
            }
            // Those that may share their clusters go together, when nothing is written any more.
            None => {
                let aside = wanted.stages.beside(path, observed)?;
                garbage.aside.push((path.clone(), aside.clone()));
                garbage.removal(aside, unwanted.present);
            }
        }
    }
    goes.keys().for_each(|path| digests.forget(path));
    // Nothing may be found by the boot loader whose parts are gone already.
    garbage
        .removals
        .sort_by_key(|path| (names::staged(path.name()), !names::listed(path)));
    if desired.collect {
        garbage.folders = empty_folders(desired, observed, &goes, &garbage.warnings);
    }
    Ok(garbage)
}

/// A file that goes unless it shares its clusters.
struct Unwanted {
    present: Present,
    /// Under which name it goes: not that which it has now, if it is replaced.
    name: EspPath,
    is_leftover: bool,
}

/// By the names that they have now.
fn unwanted(
    desired: &Desired,
    observed: &Observed,
    wanted: &Wanted<'_>,
) -> BTreeMap<EspPath, Unwanted> {
    let rules = Rules::of(desired);
    let mut goes = BTreeMap::new();
    for (path, present) in observed.files() {
        let is_leftover = names::staged(path.name());
        if !wanted.stay.contains(path) && (is_leftover || rules.is_garbage(path)) {
            let unwanted = Unwanted {
                present,
                name: path.clone(),
                is_leftover,
            };
            goes.insert(path.clone(), unwanted);
        }
    }
    for write in wanted.writes.iter().filter(|write| write.replaces) {
        if let Some(present) = observed.file(&write.path) {
            let unwanted = Unwanted {
                present,
                name: write.stage.clone(),
                is_leftover: false,
            };
            goes.insert(write.path.clone(), unwanted);
        }
    }
    goes
}

impl Garbage {
    fn stays(&mut self, path: EspPath, with: EspPath) {
        self.warnings.push(Warning::Shared { path, with });
    }

    fn leftover(&mut self, unwanted: &Unwanted) {
        self.leftovers.push(unwanted.name.clone());
        self.sizes.0.push(unwanted.present.size);
    }

    fn removal(&mut self, path: EspPath, present: Present) {
        self.removals.push(path);
        self.sizes.1.push(present.size);
    }
}

/// What of ours is garbage.
struct Rules {
    collect: bool,
    /// Names without counters.
    keep: BTreeSet<EspPath>,
    entries: BTreeSet<EspPath>,
}

impl Rules {
    fn of(desired: &Desired) -> Self {
        let uncounted = |path: &EspPath| names::split(path).0;
        let entries = desired.entries.iter().map(|entry| entry.path.clone());
        Self {
            collect: desired.collect,
            keep: desired.keep.iter().map(uncounted).collect(),
            entries: entries.collect(),
        }
    }

    /// Whether it goes if it is not wanted. Other names of a desired entry go even when nothing is collected: it is known whose they are.
    fn is_garbage(&self, path: &EspPath) -> bool {
        let (uncounted, _) = names::split(path);
        if self.entries.contains(&uncounted) {
            return true;
        }
        let kept_folder = path.folders().any(|folder| self.keep.contains(&folder));
        let kept = self.keep.contains(&uncounted) || kept_folder;
        self.collect && names::ours(path) && !kept
    }
}

/// Finds files that may share their clusters.
struct Twins<'a, F> {
    fs: &'a F,
    observed: &'a Observed,
    digests: &'a mut Digests,
}

impl<F: FileSystem> Twins<'_, F> {
    /// Files in the same folder with the same content, if one of all these may be what a rename left of another: under the name that it had
    /// while it was written, or under its short name. Without such a one, those that differ in nothing but their counter.
    fn of(&mut self, path: &EspPath, present: Present) -> Vec<EspPath> {
        // Without content there are no clusters.
        if present.size == 0 {
            return Vec::new();
        }
        let folder = path.folder();
        let files = self.observed.files();
        let mut others: Vec<(EspPath, Present)> = files
            .filter(|(other, of_other)| {
                of_other.size == present.size && *other != path && other.folder() == folder
            })
            .map(|(other, of_other)| (other.clone(), of_other))
            .collect();
        let leftover = |(other, _): &(EspPath, Present)| names::leftover(other);
        if !names::leftover(path) && !others.iter().any(leftover) {
            others.retain(|(other, _)| names::split(other).0 == names::split(path).0);
        }
        others.retain(|(other, of_other)| self.same(path, present, other, *of_other));
        others.into_iter().map(|(other, _)| other).collect()
    }

    /// Of two names with the same clusters both can be read, or none. What cannot be read goes before anything is written: its clusters may be
    /// free, and would be given to what is written. A failure that passes must not look like that, so it is tried again.
    fn same(
        &mut self,
        path: &EspPath,
        present: Present,
        other: &EspPath,
        of_other: Present,
    ) -> bool {
        let mut digest = |path: &EspPath, present: Present| {
            let first = self.digests.of(self.fs, path, present);
            first
                .or_else(|_| self.digests.of(self.fs, path, present))
                .ok()
        };
        let (one, other) = (digest(path, present), digest(other, of_other));
        one.is_some() && one == other
    }
}

/// Folders inside of ours in which nothing is left, the deepest first.
fn empty_folders(
    desired: &Desired,
    observed: &Observed,
    goes: &BTreeMap<EspPath, Unwanted>,
    warnings: &[Warning],
) -> Vec<EspPath> {
    let stays = warnings.iter().map(|Warning::Shared { path, .. }| path);
    let remain = observed.files().map(|(path, _)| path);
    let files = remain.filter(|path| !goes.contains_key(*path));
    let needed = desired
        .paths()
        .chain(&desired.keep)
        .chain(stays)
        .chain(files);
    let mut needed: BTreeSet<EspPath> = needed.flat_map(EspPath::folders).collect();
    needed.extend(desired.keep.iter().cloned());
    let inside = observed
        .folders()
        .rev()
        .filter(|folder| names::ours(folder));
    inside
        .filter(|folder| !needed.contains(*folder))
        .cloned()
        .collect()
}
