//! What an import has to do, decided before anything is written.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rustix::fs::statvfs;
use touchstone_store::closure::{Registry, walk};
use touchstone_store::{NarInfo, StorePath, Trust, narinfo};

use super::error::{ImportError, failed};
use super::place::Place;
use super::source::Offer;

/// Free space that is left alone besides a part of what is needed: folders, and blocks that are not full, are in no NAR.
const RESERVE: u64 = 1 << 20;
const RESERVED_PART: u64 = 16;

/// What is done with an offered path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing: it was not asked for.
    PassOver,
    /// Nothing: it is registered by signatures that suffice, and there.
    Present,
    /// It is there, and is what was signed: it is registered, maybe again.
    Adopt,
    /// It is unpacked, published and registered.
    Unpack,
    /// What is there is not what was signed: the two change places.
    Replace,
}

impl Doing {
    /// Whether the NAR is read.
    pub(super) fn unpacks(self) -> bool {
        matches!(self, Self::Unpack | Self::Replace)
    }

    /// Whether anything is written.
    fn writes(self) -> bool {
        !matches!(self, Self::PassOver | Self::Present)
    }
}

/// One path and what is done with it.
pub(super) struct Step {
    pub(super) info: NarInfo,
    pub(super) doing: Doing,
}

/// The steps, in the order of what is offered.
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    /// Bytes of NAR that will be unpacked.
    pub(super) needed: u64,
}

impl Plan {
    /// Whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        !self.steps.iter().any(|step| step.doing.writes())
    }
}

/// Decides: signatures, references, what is there already, room. `wanted` and what these refer to are imported, or all that is offered
/// when nothing is named; with `repair` what is there is hashed and replaced where it is not what was signed.
pub(super) fn plan(
    place: &Place,
    offer: &Offer,
    trust: &Trust,
    wanted: &[StorePath],
    repair: bool,
) -> Result<Plan, ImportError> {
    let planner = Planner {
        place,
        offer,
        trust,
        repair,
        registry: place.registry(),
        here: RefCell::default(),
    };
    let selected = planner.selected(wanted)?;
    let mut plan = Plan {
        steps: Vec::with_capacity(offer.infos.len()),
        needed: 0,
    };
    for info in &offer.infos {
        let doing = planner.decide(info, &selected)?;
        if doing.unpacks() {
            plan.needed = plan.needed.saturating_add(info.entry.nar_size);
        }
        let info = match doing.writes() {
            true => planner.with_known_signatures(info)?,
            false => info.clone(),
        };
        plan.steps.push(Step { info, doing });
    }
    room(place, plan.needed)?;
    Ok(plan)
}

struct Planner<'a> {
    place: &'a Place,
    offer: &'a Offer,
    trust: &'a Trust,
    repair: bool,
    registry: Registry,
    /// Which paths were found to be valid here, or not to be.
    here: RefCell<BTreeMap<StorePath, bool>>,
}

impl Planner<'_> {
    /// The offered paths that are asked for.
    fn selected(&self, wanted: &[StorePath]) -> Result<BTreeSet<StorePath>, ImportError> {
        let paths = self.offer.infos.iter().map(|info| &info.entry.path);
        if wanted.is_empty() {
            return Ok(paths.cloned().collect());
        }
        let entries = self.offer.infos.iter().map(|info| &info.entry);
        let offered: BTreeMap<&StorePath, _> = entries.map(|entry| (&entry.path, entry)).collect();
        for path in wanted {
            if !offered.contains_key(path) && !self.is_here(path)? {
                return Err(ImportError::NotOffered(path.clone()));
            }
        }
        let mut selected = BTreeSet::new();
        walk(wanted.iter().cloned(), |path, _| {
            let Some(entry) = offered.get(path) else {
                return Ok(BTreeSet::new());
            };
            selected.insert(path.clone());
            Ok::<_, ImportError>(entry.references.clone())
        })?;
        Ok(selected)
    }

    fn decide(&self, info: &NarInfo, selected: &BTreeSet<StorePath>) -> Result<Doing, ImportError> {
        let entry = &info.entry;
        if !selected.contains(&entry.path) {
            return Ok(Doing::PassOver);
        }
        if self.is_here(&entry.path)? {
            return Ok(Doing::Present);
        }
        self.trust.check(entry)?;
        for reference in &entry.references {
            if !selected.contains(reference) && !self.is_here(reference)? {
                return Err(ImportError::Missing {
                    path: entry.path.clone(),
                    missing: reference.clone(),
                });
            }
        }
        let doing = self.with_disk(info)?;
        if doing.unpacks() {
            self.offer.readable(info)?;
        }
        Ok(doing)
    }

    /// What is offered, with the signatures that the registry has of just this: who trusted the path by them goes on doing so.
    fn with_known_signatures(&self, info: &NarInfo) -> Result<NarInfo, ImportError> {
        let mut joined = info.clone();
        let known = self.registry.get(&info.entry.path)?;
        if let Some(known) =
            known.filter(|known| known.entry.fingerprint() == info.entry.fingerprint())
        {
            joined.entry.signatures.extend(known.entry.signatures);
        }
        // A file that is too long for a reader would say nothing at all.
        match joined.to_string().len() <= narinfo::LIMIT {
            true => Ok(joined),
            false => Ok(info.clone()),
        }
    }

    /// What is done with a path that is not registered, by what lies where it goes.
    fn with_disk(&self, info: &NarInfo) -> Result<Doing, ImportError> {
        if !self.place.occupied(&info.entry.path)? {
            return Ok(Doing::Unpack);
        }
        match self.place.holds(info) {
            Ok(true) => Ok(Doing::Adopt),
            _ if self.repair => Ok(Doing::Replace),
            Ok(false) => Err(ImportError::Occupied(self.place.on_disk(&info.entry.path))),
            Err(error) => Err(error),
        }
    }

    /// Whether a path is registered by signatures that suffice, and there; when repairing, also whether it is what it was registered as.
    /// The registry is not believed: whoever could write to it, or a key that is trusted no longer, would decide here otherwise.
    fn is_here(&self, path: &StorePath) -> Result<bool, ImportError> {
        if let Some(known) = self.here.borrow().get(path) {
            return Ok(*known);
        }
        let here = match self.registry.get(path)? {
            Some(info) if self.trust.check(&info.entry).is_err() => false,
            Some(_) if !self.place.occupied(path)? => false,
            Some(info) if self.repair => matches!(self.place.holds(&info), Ok(true)),
            Some(_) => true,
            None => false,
        };
        self.here.borrow_mut().insert(path.clone(), here);
        Ok(here)
    }
}

/// Whether the NARs fit, as well as that can be told before they are unpacked.
fn room(place: &Place, needed: u64) -> Result<(), ImportError> {
    if needed == 0 {
        return Ok(());
    }
    let stat = statvfs(&place.store).map_err(std::io::Error::from);
    let stat = stat.map_err(failed("looking at", &place.store))?;
    let available = stat.f_bavail.saturating_mul(stat.f_frsize);
    let reserve = needed / RESERVED_PART + RESERVE;
    if needed.saturating_add(reserve) <= available {
        return Ok(());
    }
    Err(ImportError::Room {
        store: place.store.clone(),
        needed,
        available,
        reserve,
    })
}
