//! A file system as programs see it, what of it is on the disk, and what is not yet.

use std::fmt::Debug;
use std::io;
use std::rc::Rc;

use touchstone_esp::EspPath;

use crate::disk::{Atom, Disk, Outcome, Slot, above};
use crate::saboteur::Saboteur;

#[derive(Default)]
pub struct State {
    /// As programs see it.
    pub live: Disk,
    /// What is on the disk.
    pub durable: Rc<Disk>,
    /// What is not, in its order.
    pub pending: Vec<Atom>,
    pub next_slot: u32,
    pub clock: u64,
    pub steps: usize,
    pub fault: Option<Fault>,
    pub saboteur: Saboteur,
    /// Linux takes no more writes on a FAT in which it found a file whose clusters are free.
    pub read_only: [bool; 2],
    pub moments: Vec<Moment>,
}

/// When and how an operation fails, once.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub step: usize,
    pub kind: FaultKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// EIO.
    Device,
    /// ENOSPC, in operations that need room.
    Full,
}

/// A moment after an operation, at which power may be lost.
#[derive(Clone)]
pub struct Moment {
    /// What was done.
    pub operation: String,
    pub durable: Rc<Disk>,
    pub pending: Vec<Atom>,
}

impl Moment {
    /// What is on the disk when this became of what was not yet.
    pub fn lose(&self, outcomes: &[Outcome]) -> Disk {
        let mut disk = (*self.durable).clone();
        for (atom, outcome) in self.pending.iter().zip(outcomes) {
            disk.apply(atom, *outcome);
        }
        disk
    }
}

impl State {
    /// Counts an operation, or fails in it.
    pub fn step(&mut self, needs_room: bool) -> io::Result<()> {
        let step = self.steps;
        self.steps += 1;
        match self.fault.filter(|fault| fault.step == step) {
            Some(fault) if fault.kind == FaultKind::Device => Err(io::Error::from_raw_os_error(5)),
            Some(_) if needs_room => Err(io::Error::from_raw_os_error(28)),
            _ => Ok(()),
        }
    }

    /// Does writes that are not on the disk yet.
    pub fn write(&mut self, operation: impl Debug, atoms: Vec<Atom>) {
        for atom in atoms {
            self.live.apply(&atom, Outcome::Full);
            self.pending.push(atom);
        }
        self.moments.push(Moment {
            operation: format!("{operation:?}"),
            durable: Rc::clone(&self.durable),
            pending: self.pending.clone(),
        });
    }

    /// Brings to the disk what is meant, on one volume.
    pub fn flush(&mut self, volume: u32, meant: impl Fn(&Atom) -> bool) {
        let durable = Rc::make_mut(&mut self.durable);
        self.pending.retain(|atom| {
            let now = atom.volume() == volume && meant(atom);
            if now {
                durable.apply(atom, Outcome::Full);
            }
            !now
        });
    }

    /// A file's short entry lies in the sector that its size is written to: the alias comes to the disk with it, the long name need not.
    pub fn flush_entry(&mut self, id: u32) {
        let durable = Rc::make_mut(&mut self.durable);
        for atom in &mut self.pending {
            if let Atom::Add(added, slot) = atom
                && *added == id
            {
                durable.apply(&Atom::Add(id, slot.clone()), Outcome::Half);
                *atom = Atom::Whole(id);
            }
        }
        self.flush(
            id % 2,
            |atom| matches!(atom, Atom::Point(changed, ..) if *changed == id),
        );
    }

    pub fn new_slot(&mut self, path: &EspPath) -> (u32, Slot) {
        let id = 2 * self.next_slot + u32::from(path.as_str().starts_with('1'));
        self.next_slot += 1;
        let folder = above(path.as_str()).to_owned();
        let alias = alias(&self.live, &folder, path.name());
        let slot = Slot {
            folder,
            name: path.name().to_owned(),
            alias,
            whole: true,
            chain: None,
            size: 0,
            modified: self.clock,
        };
        (id, slot)
    }

    pub fn found(&self, path: &EspPath) -> io::Result<(u32, Slot)> {
        let (id, slot) = self
            .live
            .find(path.as_str())
            .ok_or(io::ErrorKind::NotFound)?;
        Ok((id, slot.clone()))
    }

    pub fn is_free(&self, path: &EspPath) -> io::Result<()> {
        let taken =
            self.live.find(path.as_str()).is_some() || self.live.folder(path.as_str()).is_some();
        match (taken, self.live.has_folder(above(path.as_str()))) {
            (false, true) => Ok(()),
            (true, _) => Err(io::ErrorKind::AlreadyExists.into()),
            (_, false) => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The name of eight letters and three: itself where it has that form, else its beginning and a number.
fn alias(disk: &Disk, folder: &str, name: &str) -> String {
    let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
    let fits = |text: &str, most: usize| {
        text.len() <= most && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    if fits(stem, 8) && fits(end, 3) {
        return name.to_ascii_uppercase();
    }
    let letters = |text: &str, most: usize| -> String {
        let allowed = text
            .chars()
            .filter(|character| character.is_ascii_alphanumeric() || *character == '-');
        allowed.take(most).collect::<String>().to_ascii_uppercase()
    };
    let taken = |alias: &String| disk.slots_in(folder).any(|(_, slot)| slot.alias == *alias);
    let numbered = |number: usize| match letters(end, 3).as_str() {
        "" => format!("{}~{number}", letters(stem, 6)),
        end => format!("{}~{number}.{end}", letters(stem, 6)),
    };
    let free = (1..).map(numbered).find(|alias| !taken(alias));
    free.unwrap_or_default()
}

/// A name points to what this one does.
pub fn pointed(id: u32, to: &Slot) -> Atom {
    Atom::Point(id, to.chain, to.size, to.modified)
}

impl State {
    /// What exchanges are there to avoid: a name is removed, and given to another file.
    pub fn rename_over(&mut self, from: (u32, Slot), over: u32, path: &EspPath) -> Vec<Atom> {
        let (id, new) = self.new_slot(path);
        let (old, slot) = from;
        let new = slot.renamed(new);
        vec![Atom::Drop(over), Atom::Add(id, new), Atom::Drop(old)]
    }

    /// Brings the names in a folder to the disk, and the table.
    pub fn flush_folder(&mut self, path: &str) {
        let inside = self.ids_in(path);
        let is_inside = |atom: &Atom| match atom {
            Atom::Folder(folder) | Atom::NoFolder(folder) => {
                above(folder).eq_ignore_ascii_case(path)
            }
            _ => atom.slot().is_some_and(|id| inside.contains(&id)),
        };
        let volume = u32::from(path.starts_with('1'));
        self.flush(volume, |atom| atom.is_table() || is_inside(atom));
    }

    /// The names in a folder, those that are gone but still on the disk too.
    pub fn ids_in(&self, folder: &str) -> Vec<u32> {
        let added = self.pending.iter().filter_map(|atom| match atom {
            Atom::Add(id, slot) if slot.folder.eq_ignore_ascii_case(folder) => Some(*id),
            _ => None,
        });
        let there = self.durable.slots_in(folder).map(|(id, _)| id);
        added.chain(there).collect()
    }
}
