//! Which files are written, and which of those that are there stay.

use std::collections::{BTreeMap, BTreeSet};

use super::{Phase, Write};
use crate::counter::{self, Assessment};
use crate::observed::Present;
use crate::verified::digest;
use crate::{
    BootCount, Content, Desired, Digests, Entry, EspPath, FileSystem, Observed, PathError, Refusal,
    names,
};

/// What is wanted.
pub(super) struct Wanted<'a> {
    pub(super) writes: Vec<Write<'a>>,
    /// Names of files that are there and wanted, intact or replaced.
    pub(super) stay: BTreeSet<EspPath>,
    pub(super) stages: Stages,
}

/// Names for the time being.
#[derive(Default)]
pub(super) struct Stages {
    next: usize,
}

impl Stages {
    /// A name in the same folder that nothing has.
    pub(super) fn beside(
        &mut self,
        path: &EspPath,
        observed: &Observed,
    ) -> Result<EspPath, PathError> {
        loop {
            let stage = path.beside(&names::stage(self.next))?;
            self.next += 1;
            if observed.file(&stage).is_none() {
                return Ok(stage);
            }
        }
    }
}

/// Decides, file by file.
pub(super) fn wanted<'a, F: FileSystem>(
    fs: &F,
    desired: &'a Desired,
    observed: &Observed,
    digests: &mut Digests,
) -> Result<Wanted<'a>, Refusal> {
    let mut chooser = Chooser {
        fs,
        observed,
        digests,
        counted: by_name_without_counter(observed),
        chosen: BTreeSet::new(),
        wanted: Wanted {
            writes: Vec::new(),
            stay: BTreeSet::new(),
            stages: Stages::default(),
        },
    };
    for file in &desired.before {
        chooser.file(Phase::Before, &file.path, &file.content)?;
    }
    for file in &desired.artifacts {
        chooser.file(Phase::Artifacts, &file.path, &file.content)?;
    }
    for entry in &desired.entries {
        chooser.entry(entry)?;
    }
    for file in &desired.fixed {
        chooser.file(Phase::Fixed, &file.path, &file.content)?;
    }
    Ok(chooser.wanted)
}

/// Folders that are missing, each after the one in which it lies.
pub(super) fn new_folders(observed: &Observed, writes: &[Write<'_>]) -> Vec<EspPath> {
    let needed: BTreeSet<EspPath> = writes
        .iter()
        .flat_map(|write| write.path.folders())
        .collect();
    let missing = needed
        .into_iter()
        .filter(|folder| !observed.has_folder(folder));
    missing.collect()
}

/// The names under which an entry is there, each with its counter.
type Counted = BTreeMap<EspPath, Vec<(EspPath, Option<BootCount>)>>;

fn by_name_without_counter(observed: &Observed) -> Counted {
    let mut counted = Counted::new();
    for (path, _) in observed.files().filter(|(path, _)| names::ours(path)) {
        let (uncounted, count) = names::split(path);
        counted
            .entry(uncounted)
            .or_default()
            .push((path.clone(), count));
    }
    counted
}

struct Chooser<'a, 'b, F> {
    fs: &'b F,
    observed: &'b Observed,
    digests: &'b mut Digests,
    counted: Counted,
    /// Asked for already.
    chosen: BTreeSet<EspPath>,
    wanted: Wanted<'a>,
}

impl<'a, F: FileSystem> Chooser<'a, '_, F> {
    fn file(
        &mut self,
        phase: Phase,
        path: &'a EspPath,
        content: &'a Content,
    ) -> Result<(), Refusal> {
        if !self.chosen.insert(path.clone()) {
            return Ok(());
        }
        let path = self.observed.spelled(path);
        match self.intact(phase, &path, content) {
            true => drop(self.wanted.stay.insert(path)),
            false => self.write(phase, path, content)?,
        }
        Ok(())
    }

    fn entry(&mut self, entry: &'a Entry) -> Result<(), Refusal> {
        if !self.chosen.insert(entry.path.clone()) {
            return Ok(());
        }
        let mut there = self.counted.get(&entry.path).cloned().unwrap_or_default();
        there.retain(|(_, count)| entry.tries.is_some() || !is_indeterminate(*count));
        // Good ones first, then those with the fewest tries left.
        there.sort_by_key(|(_, count)| count.map(|count| count.left));
        let intact = there
            .iter()
            .find(|(path, _)| self.intact(Phase::Entries, path, &entry.content));
        if let Some((path, _)) = intact {
            self.wanted.stay.insert(path.clone());
            return Ok(());
        }
        let path = match there.into_iter().next() {
            Some((damaged, _)) => damaged,
            None => new_name(self.observed.spelled(&entry.path), entry.tries)?,
        };
        self.write(Phase::Entries, path, &entry.content)
    }

    /// Whether a file is there and holds what it should. One that cannot be read does not.
    fn intact(&mut self, phase: Phase, path: &EspPath, content: &Content) -> bool {
        let of_size = |present: &Present| present.size == content.size();
        let Some(present) = self.observed.file(path).filter(of_size) else {
            return false;
        };
        let sha256 = match phase.names_tell_content() {
            true => self.digests.of(self.fs, path, present),
            false => digest(self.fs, path),
        };
        sha256.is_ok_and(|sha256| sha256 == content.sha256())
    }

    fn write(&mut self, phase: Phase, path: EspPath, content: &'a Content) -> Result<(), Refusal> {
        let replaces = self.observed.file(&path).is_some();
        let stage = self.wanted.stages.beside(&path, self.observed)?;
        if replaces {
            self.wanted.stay.insert(path.clone());
        }
        self.wanted.writes.push(Write {
            phase,
            stage,
            path,
            content,
            sha256: content.sha256(),
            replaces,
        });
        Ok(())
    }
}

fn is_indeterminate(count: Option<BootCount>) -> bool {
    BootCount::assessment(count) == Assessment::Indeterminate
}

fn new_name(path: EspPath, tries: Option<u32>) -> Result<EspPath, Refusal> {
    let name = counter::join(path.name(), tries.map(BootCount::new));
    Ok(path.beside(&name)?)
}
