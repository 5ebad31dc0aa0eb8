//! A file system in memory that can lose power after any operation, fail at any step, and forget to sync.

use std::cell::{RefCell, RefMut};
use std::io::{self, Cursor, Write};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use touchstone_esp::fs::{Found, Kind, Room};
use touchstone_esp::{EspPath, FileSystem};

use crate::disk::{Atom, CLUSTER, Disk, Torn};
use crate::saboteur::Saboteur;
use crate::state::{Fault, Moment, State, pointed};

const MIB: u64 = 1 << 20;

/// A mounted volume, one of two.
#[derive(Clone)]
pub struct Volume {
    state: Rc<RefCell<State>>,
    number: u32,
}

impl Volume {
    /// Mounts both volumes.
    pub fn mount(disk: Disk, clock: u64) -> [Self; 2] {
        let state = Rc::new(RefCell::new(State {
            next_slot: disk.last_slot() / 2 + 1,
            live: disk.clone(),
            durable: Rc::new(disk),
            clock,
            ..State::default()
        }));
        [0, 1].map(|number| Self {
            state: Rc::clone(&state),
            number,
        })
    }

    /// Lets an operation fail, on whichever of the two volumes.
    pub fn fail(&self, fault: Fault) {
        self.state.borrow_mut().fault = Some(fault);
    }

    /// Lets transactions go wrong.
    pub fn sabotage(&self, saboteur: Saboteur) {
        self.state.borrow_mut().saboteur = saboteur;
    }

    /// What programs see.
    pub fn live(&self) -> Disk {
        self.state.borrow().live.clone()
    }

    /// How many operations there were.
    pub fn steps(&self) -> usize {
        self.state.borrow().steps
    }

    /// The moments at which power may have been lost.
    pub fn moments(&self) -> Vec<Moment> {
        self.state.borrow().moments.clone()
    }

    /// A path, on this volume.
    fn at(&self, path: &EspPath) -> EspPath {
        EspPath::parse(&format!("{}/{path}", self.number)).unwrap()
    }

    /// A folder's, or the root's.
    fn folder(&self, path: Option<&EspPath>) -> String {
        let root = self.number.to_string();
        path.map_or(root, |path| self.at(path).as_str().to_owned())
    }

    /// Whether a file was read on either volume whose clusters are free.
    pub fn is_read_only(&self) -> bool {
        self.state.borrow().read_only.contains(&true)
    }

    /// For an operation that changes something.
    fn change(&self, needs_room: bool) -> io::Result<RefMut<'_, State>> {
        let state = self.state(needs_room)?;
        match state.read_only[self.number as usize] {
            true => Err(io::ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(state),
        }
    }

    fn state(&self, needs_room: bool) -> io::Result<RefMut<'_, State>> {
        let mut state = self.state.borrow_mut();
        state.step(needs_room)?;
        Ok(state)
    }
}

/// A file that is being written.
pub struct Writer {
    volume: Volume,
    id: u32,
    chain: Option<u32>,
    written: Vec<u8>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.volume.change(true)?;
        let from = self.written.len() / CLUSTER;
        self.written.extend(bytes);
        let chain = *self
            .chain
            .get_or_insert_with(|| state.live.free_chain(self.volume.number));
        let clusters = self.written.len().div_ceil(CLUSTER);
        let mut atoms = vec![
            Atom::Allocate(chain, clusters),
            Atom::Point(self.id, Some(chain), self.written.len(), state.clock),
        ];
        let data = self.written.chunks(CLUSTER).enumerate().skip(from);
        atoms.extend(data.map(|(index, bytes)| Atom::Data(chain, index, bytes.to_vec())));
        state.write(("write", self.written.len()), atoms);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileSystem for Volume {
    type Writer = Writer;
    type Reader = Cursor<Vec<u8>>;

    fn name(&self) -> &str {
        ["/efi", "/boot"][self.number as usize]
    }

    fn list(&self, folder: Option<&EspPath>) -> io::Result<Vec<Found>> {
        let state = self.state(false)?;
        let path = &self.folder(folder);
        if !state.live.has_folder(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let time = |modified: u64| UNIX_EPOCH + Duration::from_secs(2 * modified);
        let folders = state.live.folders_in(path).map(|name| Found {
            name: name.to_owned(),
            kind: Kind::Folder,
            size: 0,
            modified: UNIX_EPOCH,
        });
        let files = state.live.slots_in(path).map(|(_, slot)| Found {
            name: slot.visible().to_owned(),
            kind: Kind::File,
            size: slot.size as u64,
            modified: time(slot.modified),
        });
        Ok(folders.chain(files).collect())
    }

    fn open(&self, file: &EspPath) -> io::Result<Self::Reader> {
        let file = &self.at(file);
        let mut state = self.state(false)?;
        let (_, slot) = state.found(file)?;
        let read = state.live.read(&slot);
        state.read_only[self.number as usize] |= read.is_err();
        read.map(Cursor::new)
            .map_err(|Torn| io::Error::from_raw_os_error(5))
    }

    fn create(&self, file: &EspPath) -> io::Result<Writer> {
        let file = &self.at(file);
        let mut state = self.change(true)?;
        state.is_free(file)?;
        let (id, slot) = state.new_slot(file);
        state.write(("create", file.as_str()), vec![Atom::Add(id, slot)]);
        Ok(Writer {
            volume: self.clone(),
            id,
            chain: None,
            written: Vec::new(),
        })
    }

    fn sync_file(&self, writer: Writer) -> io::Result<()> {
        let mut state = self.state(false)?;
        if state.saboteur.forgets_sync() {
            return Ok(());
        }
        let of_file =
            |atom: &Atom| matches!(atom, Atom::Data(chain, ..) if Some(*chain) == writer.chain);
        state.flush(self.number, |atom| atom.is_table() || of_file(atom));
        state.flush_entry(writer.id);
        state.write("sync_file", Vec::new());
        Ok(())
    }

    fn create_folder(&self, folder: &EspPath) -> io::Result<()> {
        let folder = &self.at(folder);
        let mut state = self.change(true)?;
        state.is_free(folder)?;
        let atom = Atom::Folder(folder.as_str().to_owned());
        state.write(("create_folder", folder.as_str()), vec![atom]);
        Ok(())
    }

    fn remove_folder(&self, folder: &EspPath) -> io::Result<()> {
        let folder = &self.at(folder);
        let mut state = self.change(false)?;
        let path = state
            .live
            .folder(folder.as_str())
            .ok_or(io::ErrorKind::NotFound)?
            .clone();
        if state.live.slots_in(&path).next().is_some()
            || state.live.folders_in(&path).next().is_some()
        {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.write(
            ("remove_folder", folder.as_str()),
            vec![Atom::NoFolder(path)],
        );
        Ok(())
    }

    fn sync_folder(&self, folder: Option<&EspPath>) -> io::Result<()> {
        let mut state = self.state(false)?;
        if state.saboteur.forgets_sync() {
            return Ok(());
        }
        let path = self.folder(folder);
        state.flush_folder(&path);
        state.write(("sync_folder", path.as_str()), Vec::new());
        Ok(())
    }

    fn rename(&self, from: &EspPath, to: &EspPath) -> io::Result<()> {
        let (from, to) = (&self.at(from), &self.at(to));
        let mut state = self.change(true)?;
        state.is_free(to)?;
        let (old, slot) = state.found(from)?;
        let (id, new) = state.new_slot(to);
        let new = slot.renamed(new);
        state.saboteur.saw_rename(to);
        state.write(
            ("rename", from.as_str(), to.as_str()),
            vec![Atom::Add(id, new), Atom::Drop(old)],
        );
        Ok(())
    }

    fn exchange(&self, one: &EspPath, other: &EspPath) -> io::Result<()> {
        let (one, other) = (&self.at(one), &self.at(other));
        let mut state = self.change(false)?;
        let (first, second) = (state.found(one)?, state.found(other)?);
        let atoms = match state.saboteur.renames_over(other) {
            true => state.rename_over(first, second.0, other),
            false => vec![pointed(first.0, &second.1), pointed(second.0, &first.1)],
        };
        state.saboteur.saw_exchange(other);
        state.write(("exchange", one.as_str(), other.as_str()), atoms);
        Ok(())
    }

    /// The name is gone from the disk before the clusters are free.
    fn remove(&self, file: &EspPath) -> io::Result<()> {
        let file = &self.at(file);
        let mut state = self.change(false)?;
        let (id, slot) = state.found(file)?;
        state.saboteur.saw_remove();
        let allocated = slot.chain.filter(|chain| state.live.is_allocated(*chain));
        let freed: Vec<Atom> = allocated.map(Atom::Free).into_iter().collect();
        state.write(("remove", file.as_str()), vec![Atom::Drop(id)]);
        if state.live.read(&slot).is_err() {
            state.read_only[self.number as usize] = true;
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        if state.saboteur != Saboteur::Unlinking {
            state.flush_folder(&slot.folder);
        }
        state.write(("free", file.as_str()), freed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state(false)?;
        if state.saboteur.forgets_sync() {
            return Ok(());
        }
        state.flush(self.number, |_| true);
        state.write(("sync", self.number), Vec::new());
        Ok(())
    }

    fn room(&self) -> io::Result<Room> {
        self.state(false)?;
        Ok(Room {
            cluster: CLUSTER as u64,
            free: 64 * MIB,
        })
    }
}
