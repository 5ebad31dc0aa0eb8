//! The entries that are on a partition already.

use std::path::PathBuf;

use touchstone_esp::type1::Type1;
use touchstone_esp::{Assessment, BootCount, EntryKind, EntryName, EspPath};

use super::images::Identity;

/// An entry of ours that is there.
#[derive(Clone, Debug)]
pub struct Present {
    /// What it is called.
    pub name: EntryName,
    /// Where it lies.
    pub path: EspPath,
}

/// The entries of a partition.
#[derive(Clone, Debug, Default)]
pub struct Presents {
    root: PathBuf,
    entries: Vec<Present>,
}

impl Presents {
    /// Where the partition is mounted for this program.
    pub fn root(&self) -> &std::path::Path {
        &self.root
    }

    /// Those among the files of the partition that is mounted at `root`.
    pub fn among<'a>(root: PathBuf, files: impl Iterator<Item = &'a EspPath>) -> Self {
        let entries = files.filter_map(|path| {
            let name: EntryName = path.name().parse().ok()?;
            let folder = path.folder()?;
            let here = EspPath::parse(name.kind.folder()).ok()?;
            (folder == here).then(|| Present {
                name,
                path: path.clone(),
            })
        });
        Self {
            root,
            entries: entries.collect(),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Present> {
        self.entries.iter()
    }

    /// Those of a generation, its specialisations included.
    pub fn of<'a>(&'a self, identity: &'a Identity) -> impl Iterator<Item = &'a Present> {
        self.iter().filter(|present| present.is_of(identity))
    }

    /// What the boot loader thinks of a generation; none when it is not there.
    pub fn assessment(&self, identity: &Identity) -> Option<Assessment> {
        let mut own = self
            .of(identity)
            .filter(|present| present.name.specialisation.is_none());
        own.next()
            .map(|present| BootCount::assessment(present.name.count))
    }

    /// The counter with which an entry is written: that of the entry in whose place it comes, else `tries`. What is there already keeps its own.
    pub fn tries(&self, name: &EntryName, tries: Option<u32>) -> Option<u32> {
        let mut same = self.iter().filter(|present| {
            let there = &present.name;
            is_of_same(there, name)
        });
        let before = same.next()?;
        if is_same(&before.name, name) {
            return tries;
        }
        before.name.count.map(|count| count.left)
    }

    /// The entry with this content, as it is called now.
    pub fn named(&self, name: &EntryName) -> Option<&EntryName> {
        let mut names = self.iter().map(|present| &present.name);
        names.find(|there| is_same(there, name))
    }

    /// Whether an entry of this generation or specialisation is there, whatever it holds.
    pub fn has(&self, name: &EntryName) -> bool {
        self.iter().any(|present| is_of_same(&present.name, name))
    }

    /// The files that an entry needs, itself included.
    pub fn files(&self, present: &Present) -> Vec<EspPath> {
        let mut files = vec![present.path.clone()];
        if present.name.kind == EntryKind::Type1 {
            let text = std::fs::read_to_string(self.place(present)).unwrap_or_default();
            files.extend(Type1::read(&text).files().unwrap_or_default());
        }
        files
    }

    /// Where an entry lies on this machine.
    pub fn place(&self, present: &Present) -> PathBuf {
        self.root.join(present.path.as_str())
    }
}

impl Present {
    /// Whether it is that of this generation.
    pub fn is_of(&self, identity: &Identity) -> bool {
        self.name.generation == identity.number && self.name.profile == identity.profile
    }
}

/// Whether two names are those of one generation or specialisation.
fn is_of_same(one: &EntryName, other: &EntryName) -> bool {
    one.generation == other.generation
        && one.specialisation == other.specialisation
        && one.profile == other.profile
}

/// Whether two names are one but for their counters. Compared part by part: a hundred generations are compared with each other.
pub fn is_same(one: &EntryName, other: &EntryName) -> bool {
    one.hash == other.hash && one.kind == other.kind && is_of_same(one, other)
}
