//! Nix' database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use touchstone_store::{NarInfo, StorePath};

use crate::references::{References, Targets};
use crate::row::ValidPaths;
use crate::sqlite::{Fault, Pages};
use crate::{Damage, DatabaseError};

/// Where Nix keeps it.
pub const DATABASE: &str = "/nix/var/nix/db/db.sqlite";
/// How often a database that changes while it is read is read again.
const ATTEMPTS: usize = 20;
/// How long a writer is given to end its transaction.
const PAUSE: Duration = Duration::from_millis(10);

/// Nix' database, for asking what it says.
#[derive(Debug, Clone)]
pub struct Database {
    file: PathBuf,
}

impl Database {
    /// The database in this file, which must be one.
    ///
    /// # Errors
    /// [`DatabaseError`] when it cannot be read, or is no database of Nix.
    pub fn open(file: &Path) -> Result<Self, DatabaseError> {
        let database = Self::at(file);
        database.at_one_moment(|pages| Tables::find(pages).map(drop))?;
        Ok(database)
    }

    /// The database that is in this file when it is asked.
    pub fn at(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
        }
    }

    /// What is said of a path and of all that it reaches, in the order of their paths; nothing when the path is not in the database. All
    /// rows are walked over, so that a damaged page is an error wherever it lies; of what the path does not reach, hash, size and signatures
    /// are not looked at.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn closure(&self, toplevel: &StorePath) -> Result<Option<Vec<NarInfo>>, DatabaseError> {
        self.at_one_moment(|pages| {
            let tables = Tables::find(pages)?;
            match tables.paths.row_of(pages, toplevel)? {
                Some(row) => {
                    let targets = tables.references.of_all(pages)?;
                    let closure = tables.reached(pages, &targets, vec![row])?;
                    closure.finish().map(Some)
                }
                None => Ok(None),
            }
        })
    }

    /// What is said of these paths and of all that they reach, by their paths; those that are not in the database are left out. Rows are
    /// looked up by SQLite's indexes, so that the time that it takes grows with the answer, hardly with the database; a page that is damaged
    /// is an error where it is on the way to a row. All rows are walked over where an index is missing.
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn reached(
        &self,
        roots: &BTreeSet<StorePath>,
    ) -> Result<BTreeMap<StorePath, Known>, DatabaseError> {
        self.at_one_moment(|pages| {
            let tables = Tables::find(pages)?;
            let rows = tables.paths.rows_of(pages, roots)?;
            let targets = tables.references.of_some(pages)?;
            let closure = tables.reached(pages, &targets, rows.into_values().collect())?;
            let rows: Vec<i64> = closure.infos.keys().copied().collect();
            let mut known = BTreeMap::new();
            for (row, info) in rows.into_iter().zip(closure.entries()?) {
                let built_here = tables.paths.is_built_here(pages, row)?;
                known.insert(info.entry.path.clone(), Known { info, built_here });
            }
            Ok(known)
        })
    }

    /// What is said of these paths alone, by their paths; those that are not in the database are left out. Rows are looked up as for
    /// [`Database::reached`].
    ///
    /// # Errors
    /// [`DatabaseError`].
    pub fn entries(
        &self,
        paths: &BTreeSet<StorePath>,
    ) -> Result<BTreeMap<StorePath, Known>, DatabaseError> {
        self.at_one_moment(|pages| {
            let tables = Tables::find(pages)?;
            let rows = tables.paths.rows_of(pages, paths)?;
            let targets = tables.references.of_some(pages)?;
            let mut known = BTreeMap::new();
            for (path, row) in rows {
                let gone = || Damage::Missing("row that it had a moment ago");
                let mut info = tables.paths.get(pages, row)?.ok_or_else(gone)?;
                info.entry.references = tables.references_of(pages, &targets, row)?;
                let built_here = tables.paths.is_built_here(pages, row)?;
                known.insert(path, Known { info, built_here });
            }
            Ok(known)
        })
    }

    /// Reads until nobody has written meanwhile.
    fn at_one_moment<T>(
        &self,
        read: impl Fn(&Pages) -> Result<T, Fault>,
    ) -> Result<T, DatabaseError> {
        let mut failed = DatabaseError::Busy(self.file.clone());
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                thread::sleep(PAUSE);
            }
            match attempt_at(&self.file, &read) {
                Ok(Some(answer)) => return answer.map_err(|fault| self.failed(fault)),
                Ok(None) => {}
                // Somebody may be in the midst of it.
                Err(Fault::Damage(Damage::Interrupted)) => {
                    failed = self.failed(Damage::Interrupted.into());
                }
                Err(fault) => return Err(self.failed(fault)),
            }
        }
        Err(failed)
    }

    fn failed(&self, fault: Fault) -> DatabaseError {
        let file = self.file.clone();
        match fault {
            Fault::Io(source) => DatabaseError::Read { file, source },
            Fault::Damage(damage) => DatabaseError::Damaged { file, damage },
        }
    }
}

/// What is said of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its entry and deriver.
    pub info: NarInfo,
    /// Whether it was built on this machine (`ultimate`), and not copied from elsewhere or added.
    pub built_here: bool,
}

/// Reads once; nothing when somebody wrote meanwhile.
fn attempt_at<T>(
    file: &Path,
    read: impl Fn(&Pages) -> Result<T, Fault>,
) -> Result<Option<Result<T, Fault>>, Fault> {
    let pages = Pages::open(file)?;
    let answer = read(&pages);
    Ok(pages.unchanged()?.then_some(answer))
}

/// The tables that say what is valid.
struct Tables {
    paths: ValidPaths,
    references: References,
}

impl Tables {
    fn find(pages: &Pages) -> Result<Self, Fault> {
        Ok(Self {
            references: References::find(pages)?,
            paths: ValidPaths::find(pages)?,
        })
    }

    /// The rows that some rows reach.
    fn reached(
        &self,
        pages: &Pages,
        targets: &Targets<'_>,
        first: Vec<i64>,
    ) -> Result<Closure, Fault> {
        let mut found = Closure::default();
        let mut waiting = Vec::new();
        for row in first {
            let gone = || Damage::Missing("row that it had a moment ago");
            let info = self.paths.get(pages, row)?.ok_or_else(gone)?;
            waiting.push((row, info.entry.path.clone()));
            found.infos.insert(row, info);
        }
        while let Some((row, path)) = waiting.pop() {
            for target in targets.of(pages, row)? {
                found.references.insert((row, target));
                if found.infos.contains_key(&target) {
                    continue;
                }
                let dangling = || Damage::Dangling {
                    path: path.clone(),
                    row: target,
                };
                let info = self.paths.get(pages, target)?.ok_or_else(dangling)?;
                waiting.push((target, info.entry.path.clone()));
                found.infos.insert(target, info);
            }
        }
        Ok(found)
    }

    /// The paths that a row refers to.
    fn references_of(
        &self,
        pages: &Pages,
        targets: &Targets<'_>,
        row: i64,
    ) -> Result<BTreeSet<StorePath>, Fault> {
        let mut references = BTreeSet::new();
        for target in targets.of(pages, row)? {
            let dangling = || Damage::Missing("row that is referred to");
            let target = self.paths.get(pages, target)?.ok_or_else(dangling)?;
            references.insert(target.entry.path);
        }
        Ok(references)
    }
}

/// What was reached, by the numbers of the rows.
#[derive(Default)]
struct Closure {
    infos: BTreeMap<i64, NarInfo>,
    references: BTreeSet<(i64, i64)>,
}

impl Closure {
    /// The entries, each with its references, by their paths.
    fn finish(&self) -> Result<Vec<NarInfo>, Fault> {
        let mut entries = self.entries()?;
        entries.sort_unstable_by(|one, other| one.entry.path.cmp(&other.entry.path));
        Ok(entries)
    }

    /// The entries, each with its references, by the numbers of their rows.
    fn entries(&self) -> Result<Vec<NarInfo>, Fault> {
        let path = |row: &i64| self.infos.get(row).map(|info| info.entry.path.clone());
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        for (row, info) in &self.infos {
            let mut info = info.clone();
            let own = self.references.range((*row, i64::MIN)..=(*row, i64::MAX));
            info.entry.references = own.filter_map(|(_, target)| path(target)).collect();
            if !seen.insert(info.entry.path.clone()) {
                return Err(Damage::Twice(info.entry.path).into());
            }
            entries.push(info);
        }
        Ok(entries)
    }
}
