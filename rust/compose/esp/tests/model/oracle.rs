//! Reads the ESP as firmware and systemd-boot would, and says what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use touchstone_esp::order::{Listed, LoaderVersion, Selection, Wishes, compare, selected};
use touchstone_esp::type1::Type1;
use touchstone_esp::{BootCount, EntryKind, EntryName, OsRelease};

use crate::disk::{Disk, Slot};
use crate::world::{Known, LOADER_CONF, LOADERS, POLICY, System, View, World, hash};

/// An entry in the menu.
#[derive(Clone, Debug)]
pub struct Shown {
    pub system: System,
    /// Where its file lies.
    pub path: String,
    pub listed: Listed,
    /// Whether its file has its whole name; otherwise the counter is lost with it.
    pub whole: bool,
}

/// What may be seen after power was lost in an operation.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// These boot.
    pub bootable: BTreeSet<System>,
    /// The counters that an entry may have, of those that were there; the new ones may have any other.
    pub counters: BTreeMap<String, BTreeSet<Option<(u32, u32)>>>,
    /// What a new entry has.
    pub fresh: Option<(u32, u32)>,
    /// A copy of the loader was there before.
    pub loader: bool,
    /// The loader's settings were there before.
    pub settings: bool,
    /// A policy was there before.
    pub policy: bool,
    /// The generation that runs, if the policy admitted it before.
    pub running: Option<u64>,
    /// The generations that had entries before.
    pub admitted: BTreeSet<u64>,
}

/// What is wrong with an ESP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// None of the loader's two copies is intact.
    NoLoader,
    /// An entry's file is torn or missing, or one that it names.
    Torn(String),
    /// What should boot does not.
    NotBootable(System),
    /// A counter went up, or is another than any that it had.
    Counter(String, Option<(u32, u32)>),
    /// The policy does not admit a generation that needs it.
    NotAdmitted(u64),
    /// The loader's settings, or the policy, hold what nobody wrote.
    Settings(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, formatter)
    }
}

/// What a counter says.
pub fn said(count: Option<BootCount>) -> Option<(u32, u32)> {
    count.map(|count| (count.left, count.done.unwrap_or(0)))
}

/// The menu, in its order.
pub fn menu(disk: &Disk, world: &World, view: View) -> Result<Vec<Shown>, Violation> {
    let mut menu = Vec::new();
    for volume in view.entries {
        for kind in [EntryKind::Type1, EntryKind::Type2] {
            let folder = format!("{volume}/{}", kind.folder());
            for (_, slot) in disk.slots_in(&folder) {
                // Of a name that was cut to three letters after the dot the loader sees no `.conf`.
                let name = slot.visible().to_ascii_lowercase();
                if name.ends_with(kind.extension()) {
                    menu.push(shown(disk, world, slot, kind)?);
                }
            }
        }
    }
    menu.sort_by(|one, other| compare(&one.listed, &other.listed));
    Ok(menu)
}

fn shown(disk: &Disk, world: &World, slot: &Slot, kind: EntryKind) -> Result<Shown, Violation> {
    let path = format!("{}/{}", slot.folder, slot.visible());
    let torn = || Violation::Torn(path.clone());
    let content = disk.read(slot).map_err(|_| torn())?;
    let Some(Known::Entry(system)) = world.knows(&content) else {
        return Err(torn());
    };
    let name: Option<EntryName> = slot.visible().parse().ok();
    if slot.whole && name.is_none_or(|name| name.hash != hash(&content)) {
        return Err(torn());
    }
    let text = String::from_utf8(content).map_err(|_| torn())?;
    let listed = match kind {
        EntryKind::Type1 => {
            let entry = Type1::read(&text);
            let volume = slot.folder.split('/').next().unwrap_or_default();
            let files = entry.files().map_err(|_| torn())?;
            let missing = files
                .iter()
                .find(|file| !is_artifact(disk, world, &format!("{volume}/{file}")));
            if let Some(file) = missing {
                return Err(Violation::Torn(format!("{path} → {file}")));
            }
            Listed::text(slot.visible(), &entry)
        }
        EntryKind::Type2 => {
            Listed::image(slot.visible(), &OsRelease::read(&text).ok_or_else(torn)?)
        }
    };
    Ok(Shown {
        system: system.clone(),
        whole: slot.whole,
        path,
        listed,
    })
}

/// Whether a kernel or an initrd is there and whole.
fn is_artifact(disk: &Disk, world: &World, path: &str) -> bool {
    let Some((_, slot)) = disk.find(path) else {
        return false;
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let Ok(content) = disk.read(slot) else {
        return false;
    };
    let digits = data_encoding::HEXLOWER.encode(&hash(&content));
    world.knows(&content) == Some(&Known::Artifact) && name.starts_with(&digits)
}

/// What systemd-boot starts by itself.
pub fn starts(menu: &[Shown]) -> Option<&Shown> {
    let listed: Vec<Listed> = menu.iter().map(|shown| shown.listed.clone()).collect();
    let wishes = Wishes {
        default: Some("nixos-*"),
        ..Wishes::default()
    };
    let loader = LoaderVersion {
        major: 262,
        minor: 1,
    };
    match selected(&listed, &wishes, loader)? {
        Selection::Entry(index) | Selection::Either(index, _) => menu.get(index),
    }
}

/// Says what is wrong.
pub fn check(disk: &Disk, world: &World, view: View, expected: &Expected) -> Result<(), Violation> {
    let menu = menu(disk, world, view)?;
    let shown: BTreeSet<&System> = menu.iter().map(|shown| &shown.system).collect();
    if let Some(missing) = expected
        .bootable
        .iter()
        .find(|system| !shown.contains(system))
    {
        return Err(Violation::NotBootable(missing.clone()));
    }
    counters(&menu, expected)?;
    policy(disk, world, view, &menu, expected)?;
    settings(disk, world, view, expected)?;
    match has_loader(disk, world, view) || !expected.loader {
        true => Ok(()),
        false => Err(Violation::NoLoader),
    }
}

/// Whether the firmware finds an intact copy of the loader.
pub fn has_loader(disk: &Disk, world: &World, view: View) -> bool {
    LOADERS
        .iter()
        .any(|path| holds(disk, world, view, path) == Some(Known::Loader))
}

/// Whose content a file has.
fn holds(disk: &Disk, world: &World, view: View, path: &str) -> Option<Known> {
    content(disk, view, path).and_then(|content| world.knows(&content).cloned())
}

/// Whether a file is there, whatever is in it.
pub fn is_there(disk: &Disk, view: View, path: &str) -> bool {
    disk.find(&format!("{}/{path}", view.loader)).is_some()
}

fn content(disk: &Disk, view: View, path: &str) -> Option<Vec<u8>> {
    let (_, slot) = disk.find(&format!("{}/{path}", view.loader))?;
    disk.read(slot).ok()
}

fn counters(menu: &[Shown], expected: &Expected) -> Result<(), Violation> {
    for shown in menu.iter().filter(|shown| shown.whole) {
        let count = said(shown.listed.count);
        let allowed = match expected.counters.get(&shown.listed.id) {
            Some(counts) => counts.contains(&count),
            None => count == expected.fresh,
        };
        if !allowed {
            return Err(Violation::Counter(shown.listed.id.clone(), count));
        }
    }
    Ok(())
}

/// The policy admits what runs, and every entry that is new.
fn policy(
    disk: &Disk,
    world: &World,
    view: View,
    menu: &[Shown],
    expected: &Expected,
) -> Result<(), Violation> {
    let admits = match holds(disk, world, view, POLICY) {
        Some(Known::Policy(admits)) => admits,
        None if !expected.policy && !is_there(disk, view, POLICY) => BTreeSet::new(),
        _ => return Err(Violation::Settings(POLICY.to_owned())),
    };
    let new = menu.iter().map(|shown| shown.system.generation);
    let new = new.filter(|generation| !expected.admitted.contains(generation));
    let mut needing = new.chain(expected.running.filter(|_| expected.policy));
    match needing.find(|generation| !admits.contains(generation)) {
        Some(generation) => Err(Violation::NotAdmitted(generation)),
        None => Ok(()),
    }
}

/// Whether the policy admits a generation.
pub fn admits(disk: &Disk, world: &World, view: View, generation: u64) -> bool {
    matches!(holds(disk, world, view, POLICY), Some(Known::Policy(admits)) if admits.contains(&generation))
}

fn settings(disk: &Disk, world: &World, view: View, expected: &Expected) -> Result<(), Violation> {
    match holds(disk, world, view, LOADER_CONF) {
        Some(Known::Settings) => Ok(()),
        None if !expected.settings && !is_there(disk, view, LOADER_CONF) => Ok(()),
        _ => Err(Violation::Settings(LOADER_CONF.to_owned())),
    }
}
