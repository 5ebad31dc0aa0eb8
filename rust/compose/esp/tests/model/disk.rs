//! What is on the disks: names, chains of clusters, and which chains are allocated; three things that FAT writes apart from each other.
//!
//! Two volumes share this model: all paths begin with `0/` or `1/`, and the numbers of names and chains are even in one and odd in the other.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

/// Bytes in a cluster.
pub const CLUSTER: usize = 64;

/// All disks. Two names may point to one chain, and a name to a chain that is not allocated.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// Paths as they were made; the roots are not among them.
    folders: BTreeSet<String>,
    slots: BTreeMap<u32, Slot>,
    /// How many clusters each allocated chain has.
    allocated: BTreeMap<u32, usize>,
    /// What the clusters hold, allocated or not.
    clusters: BTreeMap<u32, Rc<Vec<Vec<u8>>>>,
}

/// A name in a folder.
#[derive(Clone, Debug, Hash)]
pub struct Slot {
    pub folder: String,
    pub name: String,
    /// The name of eight letters and three that FAT writes beside a longer one.
    pub alias: String,
    /// Whether the long name is on the disk; otherwise the file has its alias alone.
    pub whole: bool,
    pub chain: Option<u32>,
    pub size: usize,
    pub modified: u64,
}

/// One write to the disk.
#[derive(Clone, Debug, Hash)]
pub enum Atom {
    Add(u32, Slot),
    /// The rest of a name, of which the alias is there.
    Whole(u32),
    Drop(u32),
    Point(u32, Option<u32>, usize, u64),
    Allocate(u32, usize),
    Free(u32),
    Data(u32, usize, Vec<u8>),
    Folder(String),
    NoFolder(String),
}

/// What became of a write when the power was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Lost,
    /// Of a name, the alias alone.
    Half,
    Full,
}

impl Atom {
    /// What may become of it.
    pub fn outcomes(&self, disk: &Disk) -> &'static [Outcome] {
        let is_long = match self {
            Self::Add(_, slot) => slot.is_long(),
            Self::Drop(id) => disk.slots.get(id).is_some_and(Slot::is_long),
            _ => false,
        };
        match is_long {
            true => &[Outcome::Lost, Outcome::Half, Outcome::Full],
            false => &[Outcome::Lost, Outcome::Full],
        }
    }

    /// Whether it is written to the file allocation table, which is written as a whole.
    pub fn is_table(&self) -> bool {
        matches!(self, Self::Allocate(..) | Self::Free(_))
    }

    /// Which volume it is on.
    pub fn volume(&self) -> u32 {
        match self {
            Self::Add(number, _)
            | Self::Whole(number)
            | Self::Drop(number)
            | Self::Point(number, ..)
            | Self::Allocate(number, _)
            | Self::Free(number)
            | Self::Data(number, ..) => number % 2,
            Self::Folder(path) | Self::NoFolder(path) => u32::from(path.starts_with('1')),
        }
    }

    /// Which name it is about.
    pub fn slot(&self) -> Option<u32> {
        match self {
            Self::Add(id, _) | Self::Whole(id) | Self::Drop(id) | Self::Point(id, ..) => Some(*id),
            _ => None,
        }
    }
}

impl Slot {
    fn is_long(&self) -> bool {
        !self.name.eq_ignore_ascii_case(&self.alias)
    }

    /// What this name points to, under a new one.
    pub fn renamed(&self, new: Slot) -> Slot {
        Slot {
            chain: self.chain,
            size: self.size,
            modified: self.modified,
            ..new
        }
    }

    /// The name that is seen.
    pub fn visible(&self) -> &str {
        match self.whole {
            true => &self.name,
            false => &self.alias,
        }
    }

    fn has(&self, name: &str) -> bool {
        self.visible().eq_ignore_ascii_case(name) || self.alias.eq_ignore_ascii_case(name)
    }
}

/// What a file holds cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn;

impl Disk {
    /// Does a write, or what became of it.
    pub fn apply(&mut self, atom: &Atom, outcome: Outcome) {
        if outcome == Outcome::Lost {
            return;
        }
        let whole = outcome == Outcome::Full;
        match atom {
            Atom::Add(id, slot) if self.has_folder(&slot.folder) => {
                let whole = whole || !slot.is_long();
                let slot = Slot {
                    whole,
                    ..slot.clone()
                };
                self.slots.insert(*id, slot);
            }
            Atom::Drop(id) if whole => drop(self.slots.remove(id)),
            Atom::Drop(id) => self.change(*id, |slot| slot.whole = false),
            Atom::Whole(id) => self.change(*id, |slot| slot.whole = true),
            Atom::Point(id, chain, size, modified) => self.change(*id, |slot| {
                (slot.chain, slot.size, slot.modified) = (*chain, *size, *modified);
            }),
            Atom::Allocate(chain, length) => drop(self.allocated.insert(*chain, *length)),
            Atom::Free(chain) => drop(self.allocated.remove(chain)),
            Atom::Data(chain, index, bytes) => self.write(*chain, *index, bytes),
            Atom::Folder(path) if self.has_folder(above(path)) => {
                self.folders.insert(path.clone());
            }
            Atom::NoFolder(path) => {
                self.folders.remove(path);
            }
            Atom::Add(..) | Atom::Folder(_) => {}
        }
    }

    fn change(&mut self, id: u32, how: impl FnOnce(&mut Slot)) {
        if let Some(slot) = self.slots.get_mut(&id) {
            how(slot);
        }
    }

    fn write(&mut self, chain: u32, index: usize, bytes: &[u8]) {
        let clusters = Rc::make_mut(self.clusters.entry(chain).or_default());
        while clusters.len() <= index {
            clusters.push(vec![0xdb; CLUSTER]);
        }
        clusters[index][..bytes.len()].copy_from_slice(bytes);
    }

    pub fn has_folder(&self, path: &str) -> bool {
        is_root(path) || self.folder(path).is_some()
    }

    /// The folder with this name, as it was made.
    pub fn folder(&self, path: &str) -> Option<&String> {
        self.folders
            .iter()
            .find(|folder| folder.eq_ignore_ascii_case(path))
    }

    /// The names of the folders in one.
    pub fn folders_in<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a str> {
        let inside = self
            .folders
            .iter()
            .filter(move |folder| above(folder).eq_ignore_ascii_case(path));
        inside.map(|folder| folder.rsplit('/').next().unwrap_or(folder))
    }

    /// The names of the files in a folder.
    pub fn slots_in<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (u32, &'a Slot)> {
        let inside = self
            .slots
            .iter()
            .filter(move |(_, slot)| slot.folder.eq_ignore_ascii_case(folder));
        inside.map(|(id, slot)| (*id, slot))
    }

    /// All names of files.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// The file with this path.
    pub fn find(&self, path: &str) -> Option<(u32, &Slot)> {
        let name = path.rsplit('/').next()?;
        let folder = above(path);
        let mut inside = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.folder.eq_ignore_ascii_case(folder));
        inside
            .find(|(_, slot)| slot.has(name))
            .map(|(id, slot)| (*id, slot))
    }

    /// The highest number of a name.
    pub fn last_slot(&self) -> u32 {
        self.slots.keys().next_back().copied().unwrap_or(0)
    }

    /// A chain of a volume that is free, the first one: what was freed last is taken soon.
    pub fn free_chain(&self, volume: u32) -> u32 {
        (volume..)
            .step_by(2)
            .find(|chain| !self.allocated.contains_key(chain))
            .unwrap_or(0)
    }

    pub fn is_allocated(&self, chain: u32) -> bool {
        self.allocated.contains_key(&chain)
    }

    /// What a file holds.
    pub fn read(&self, slot: &Slot) -> Result<Vec<u8>, Torn> {
        let Some(chain) = slot.chain.filter(|_| slot.size > 0) else {
            return Ok(Vec::new());
        };
        let length = self.allocated.get(&chain).copied().unwrap_or(0);
        let mut bytes = match self.clusters.get(&chain) {
            Some(clusters) => clusters.iter().take(length).flatten().copied().collect(),
            None => Vec::new(),
        };
        bytes.resize(bytes.len().max(length * CLUSTER), 0xdb);
        match bytes.len() >= slot.size {
            true => bytes.truncate(slot.size),
            false => return Err(Torn),
        }
        Ok(bytes)
    }

    /// What fsck.fat does with files whose clusters are free: it makes them empty.
    pub fn check(&mut self) {
        let torn = |disk: &Self, slot: &Slot| disk.read(slot).is_err();
        let torn: Vec<u32> = self
            .slots
            .iter()
            .filter(|(_, slot)| torn(self, slot))
            .map(|(id, _)| *id)
            .collect();
        for id in torn {
            self.change(id, |slot| (slot.chain, slot.size) = (None, 0));
        }
    }

    /// A number for what can be seen of the disk, by which states are told apart: not how chains are numbered, nor when files were written.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.folders.hash(&mut hasher);
        let mut slots: Vec<&Slot> = self.slots.values().collect();
        slots.sort_by_key(|slot| (&slot.folder, slot.visible()));
        let mut chains = Vec::new();
        for slot in slots {
            (&slot.folder, slot.visible(), slot.size).hash(&mut hasher);
            let chain = slot.chain.filter(|_| slot.size > 0);
            let known = chains.iter().position(|known| *known == chain);
            known.unwrap_or(chains.len()).hash(&mut hasher);
            chains.push(chain);
            self.read(slot).ok().hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Whether it is the root of a volume.
fn is_root(path: &str) -> bool {
    ["0", "1"].contains(&path)
}

/// The folder in which a path lies.
pub fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl std::fmt::Display for Disk {
    /// All names, with the chains that they point to and the beginning of what they hold.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (id, slot) in &self.slots {
            let content = self.read(slot).map(|content| {
                String::from_utf8_lossy(&content)
                    .chars()
                    .take(60)
                    .collect::<String>()
            });
            let (folder, name, chain) = (&slot.folder, slot.visible(), slot.chain);
            writeln!(formatter, "  {id}: {folder}/{name} → {chain:?} {content:?}")?;
        }
        Ok(())
    }
}
