//! What is done to one file system, decided before anything is.

mod check;
mod cost;
mod garbage;
mod writes;

use std::fmt;

use crate::{Content, Desired, Digests, EspPath, FileSystem, Observed, Refusal};
pub use cost::Cost;

/// What is done to one file system, in this order: leftovers go, folders and files are written, garbage goes.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    leftovers: Vec<EspPath>,
    folders: Vec<EspPath>,
    writes: Vec<Write<'a>>,
    aside: Vec<(EspPath, EspPath)>,
    removals: Vec<EspPath>,
    empty: Vec<EspPath>,
    warnings: Vec<Warning>,
    cost: Cost,
}

/// When a file is published: those of one phase are on the disk before the first of the next is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// What must be there before everything else.
    Before,
    /// What entries name.
    Artifacts,
    /// The entries.
    Entries,
    /// Files of one name: each is on the disk before the next is touched.
    Fixed,
}

impl Phase {
    /// Whether its files' names hold the digests of their contents. Of the others size and time stamp, which FAT counts in steps of two
    /// seconds, tell nothing: they are read at every run.
    pub(crate) fn names_tell_content(self) -> bool {
        matches!(self, Phase::Artifacts | Phase::Entries)
    }
}

/// A file that is written.
#[derive(Clone, Debug)]
pub struct Write<'a> {
    /// When it is published.
    pub phase: Phase,
    /// Its name in the end.
    pub path: EspPath,
    /// Its name while it is written, in the same folder.
    pub stage: EspPath,
    /// What it holds.
    pub content: &'a Content,
    /// SHA-256 of that.
    pub sha256: [u8; 32],
    /// Whether a file of this name is there, whose content is another or damaged.
    pub replaces: bool,
}

/// What people must hear of, though nothing is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Two names hold the same after a rename was interrupted: on FAT they may share their clusters, which would be lost to both if one
    /// was removed. Both stay.
    Shared {
        /// The name that nobody wants.
        path: EspPath,
        /// The other one.
        with: EspPath,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Warning::Shared { path, with } = self;
        write!(
            formatter,
            "\"{path}\" stays: it holds the same as \"{with}\", a rename was interrupted, and they may be one file; unmount the file system, run fsck.fat on it, and run this again"
        )
    }
}

impl<'a> Plan<'a> {
    /// Compares what is desired with what is there.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn make(
        fs: &impl FileSystem,
        desired: &'a Desired,
        observed: &Observed,
        digests: &mut Digests,
    ) -> Result<Self, Refusal> {
        check::desired(desired)?;
        check::in_the_way(fs.name(), desired, observed)?;
        let mut wanted = writes::wanted(fs, desired, observed, digests)?;
        let garbage = garbage::find(fs, desired, observed, digests, &mut wanted)?;
        let folders = writes::new_folders(observed, &wanted.writes);
        let cost = cost::of(observed, &folders, &wanted.writes, &garbage);
        let plan = Plan {
            leftovers: garbage.leftovers,
            folders,
            writes: wanted.writes,
            aside: garbage.aside,
            removals: garbage.removals,
            empty: garbage.folders,
            warnings: garbage.warnings,
            cost,
        };
        match cost.fits() || plan.writes.is_empty() {
            true => Ok(plan),
            false => Err(cost.refusal(fs.name())),
        }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
            && [&self.leftovers, &self.removals, &self.empty]
                .iter()
                .all(|paths| paths.is_empty())
    }

    /// What interrupted runs left, and goes first.
    pub fn leftovers(&self) -> &[EspPath] {
        &self.leftovers
    }

    /// Folders that are made, each after the one in which it lies.
    pub fn folders(&self) -> &[EspPath] {
        &self.folders
    }

    /// Files that are written, by phase.
    pub fn writes(&self) -> &[Write<'a>] {
        &self.writes
    }

    /// Garbage that may share its clusters with other garbage: it gets names for the time being, the second of each pair, before any of it goes.
    /// What a crash leaves of it is a leftover then, which goes before another file can get its clusters.
    pub fn set_aside(&self) -> &[(EspPath, EspPath)] {
        &self.aside
    }

    /// Files that go when the new ones are on the disk: garbage, and what replaced files held, under the names of [`Write::stage`].
    pub fn removals(&self) -> &[EspPath] {
        &self.removals
    }

    /// Folders of ours that are empty then, and go as well.
    pub fn empty_folders(&self) -> &[EspPath] {
        &self.empty
    }

    /// What people must hear of.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What it costs.
    pub fn cost(&self) -> Cost {
        self.cost
    }
}
