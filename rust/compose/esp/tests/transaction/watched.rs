//! A real file system whose every operation is noted, and can be made to fail.

use std::cell::{Cell, RefCell};
use std::io;
use std::path::Path;
use std::rc::Rc;

use touchstone_esp::fs::{Found, Real, Room};
use touchstone_esp::{EspPath, FileSystem};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// It is not done.
    Before,
    /// It is done, and fails all the same.
    After,
}

/// What fails.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The number of the first operation that fails.
    pub step: usize,
    pub error: i32,
    pub when: When,
    /// All later ones fail as well: of a full disk, those that need room.
    pub lasting: bool,
}

pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

pub type Before = Box<dyn Fn(usize)>;

#[derive(Default)]
pub struct Notes {
    pub steps: RefCell<Vec<String>>,
    pub fault: Cell<Option<Fault>>,
    /// What is called before each operation with its number.
    pub before: RefCell<Option<Before>>,
}

pub struct Watched {
    pub real: Real,
    pub notes: Rc<Notes>,
    pub room: Cell<Option<Room>>,
}

impl Watched {
    pub fn open(root: &Path) -> Self {
        Self {
            real: Real::open(root).unwrap(),
            notes: Rc::default(),
            room: Cell::new(None),
        }
    }

    pub fn failing(root: &Path, fault: Fault) -> Self {
        let watched = Self::open(root);
        watched.notes.fault.set(Some(fault));
        watched
    }

    /// The operations so far that change something.
    pub fn changes(&self) -> Vec<String> {
        let looks = ["list", "open", "room"];
        let steps = self.notes.steps.borrow();
        let changes = steps
            .iter()
            .filter(|step| !looks.iter().any(|look| step.starts_with(look)));
        changes.cloned().collect()
    }

    pub fn count(&self) -> usize {
        self.notes.steps.borrow().len()
    }
}

impl Notes {
    fn step<T>(
        &self,
        what: String,
        needs_room: bool,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let number = self.steps.borrow().len();
        if let Some(before) = self.before.borrow().as_ref() {
            before(number);
        }
        self.steps.borrow_mut().push(what);
        let hit = |fault: &Fault| {
            let later =
                fault.lasting && number > fault.step && (needs_room || fault.error != ENOSPC);
            number == fault.step || later
        };
        match self.fault.get().filter(hit) {
            None => act(),
            Some(fault) => {
                if fault.when == When::After {
                    act()?;
                }
                Err(io::Error::from_raw_os_error(fault.error))
            }
        }
    }
}

pub struct Writer(std::fs::File, Rc<Notes>);

impl io::Write for Writer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.1
            .step("write".to_owned(), true, || self.0.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shown(path: Option<&EspPath>) -> &str {
    path.map_or("/", EspPath::as_str)
}

impl FileSystem for Watched {
    type Writer = Writer;
    type Reader = std::fs::File;

    fn name(&self) -> &str {
        self.real.name()
    }

    fn list(&self, folder: Option<&EspPath>) -> io::Result<Vec<Found>> {
        let what = format!("list {}", shown(folder));
        self.notes.step(what, false, || self.real.list(folder))
    }

    fn open(&self, file: &EspPath) -> io::Result<std::fs::File> {
        self.notes
            .step(format!("open {file}"), false, || self.real.open(file))
    }

    fn create(&self, file: &EspPath) -> io::Result<Writer> {
        let writer = self
            .notes
            .step(format!("create {file}"), true, || self.real.create(file))?;
        Ok(Writer(writer, Rc::clone(&self.notes)))
    }

    fn sync_file(&self, writer: Writer) -> io::Result<()> {
        self.notes.step("sync_file".to_owned(), true, || {
            self.real.sync_file(writer.0)
        })
    }

    fn create_folder(&self, folder: &EspPath) -> io::Result<()> {
        self.notes
            .step(format!("create_folder {folder}"), true, || {
                self.real.create_folder(folder)
            })
    }

    fn remove_folder(&self, folder: &EspPath) -> io::Result<()> {
        self.notes
            .step(format!("remove_folder {folder}"), false, || {
                self.real.remove_folder(folder)
            })
    }

    fn sync_folder(&self, folder: Option<&EspPath>) -> io::Result<()> {
        let what = format!("sync_folder {}", shown(folder));
        self.notes
            .step(what, false, || self.real.sync_folder(folder))
    }

    fn rename(&self, from: &EspPath, to: &EspPath) -> io::Result<()> {
        self.notes.step(format!("rename {from} {to}"), true, || {
            self.real.rename(from, to)
        })
    }

    fn exchange(&self, one: &EspPath, other: &EspPath) -> io::Result<()> {
        self.notes
            .step(format!("exchange {one} {other}"), false, || {
                self.real.exchange(one, other)
            })
    }

    fn remove(&self, file: &EspPath) -> io::Result<()> {
        self.notes
            .step(format!("remove {file}"), false, || self.real.remove(file))
    }

    fn sync(&self) -> io::Result<()> {
        self.notes
            .step("sync".to_owned(), false, || self.real.sync())
    }

    fn room(&self) -> io::Result<Room> {
        let room = self
            .notes
            .step("room".to_owned(), false, || self.real.room())?;
        Ok(self.room.get().unwrap_or(room))
    }
}
