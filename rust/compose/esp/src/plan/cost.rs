//! What a plan needs of the file system's room.

use std::collections::BTreeMap;

use super::Write;
use super::garbage::Garbage;
use crate::fat::{RESERVE, entry, rounded};
use crate::{EspPath, Observed, Refusal};

/// What a plan needs, in bytes; files and folders are rounded up to clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// What is written before garbage goes, with the growth of folders.
    pub needed: u64,
    /// What stays free beyond that.
    pub reserve: u64,
    /// What is free now.
    pub free: u64,
    /// What leftovers of interrupted runs hold, which go first.
    pub leftovers: u64,
    /// What garbage holds, which goes last.
    pub garbage: u64,
}

/// Counts.
pub(super) fn of(
    observed: &Observed,
    folders: &[EspPath],
    writes: &[Write<'_>],
    garbage: &Garbage,
) -> Cost {
    let room = observed.room();
    let sum = |sizes: &[u64]| {
        let sizes = sizes.iter().map(|size| rounded(*size, room.cluster));
        sizes.fold(0, u64::saturating_add)
    };
    let written: Vec<u64> = writes.iter().map(|write| write.content.size()).collect();
    Cost {
        needed: sum(&written).saturating_add(sum(&growth(folders, writes))),
        reserve: RESERVE,
        free: room.free,
        leftovers: sum(&garbage.sizes.0),
        garbage: sum(&garbage.sizes.1),
    }
}

/// What each folder may grow: as if its last cluster was full, and a name kept its room while it is changed.
fn growth(folders: &[EspPath], writes: &[Write<'_>]) -> Vec<u64> {
    let mut growth: BTreeMap<Option<EspPath>, u64> = BTreeMap::new();
    let mut name = |path: &EspPath| {
        let units = path.name().encode_utf16().count() as u64;
        *growth.entry(path.folder()).or_default() += entry(units);
    };
    for write in writes {
        name(&write.stage);
        if !write.replaces {
            name(&write.path);
        }
    }
    for folder in folders {
        name(folder);
    }
    for folder in folders {
        // Itself and the one above it.
        *growth.entry(Some(folder.clone())).or_default() += 2 * entry(0);
    }
    growth.into_values().collect()
}

impl Cost {
    /// Whether there is enough room.
    pub fn fits(&self) -> bool {
        let free = self.free.saturating_add(self.leftovers);
        self.needed.saturating_add(self.reserve) <= free
    }

    pub(super) fn refusal(&self, volume: &str) -> Refusal {
        Refusal::Full {
            volume: volume.to_owned(),
            needed: self.needed,
            reserve: self.reserve,
            free: self.free.saturating_add(self.leftovers),
            garbage: self.garbage,
        }
    }
}
