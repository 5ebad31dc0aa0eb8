//! The pages of a database at one moment.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::header::{self, Header};
use super::wal::Wal;
use super::{Fault, u32_at};
use crate::Damage;

/// `O_NONBLOCK | O_NOCTTY` of Linux: opening a FIFO must not wait.
const FLAGS: i32 = 0o4000 | 0o400;
/// What the log's name has behind the database's.
const LOG: &str = "-wal";
/// How many bytes of pages are kept at most.
const KEPT_MAX: usize = 1 << 23;

/// A database as it was at one moment: the file, and what its write-ahead log adds.
///
/// No lock is taken. [`Pages::unchanged`] says afterwards whether what was read belongs to one moment: what is in the log stays there until
/// the log begins anew, with other salts, and a page of the file changes only when a later transaction in the log has changed that page.
#[derive(Debug)]
pub(crate) struct Pages {
    path: PathBuf,
    file: File,
    header: Header,
    count: u32,
    log: Option<(File, Wal)>,
    state: State,
    /// Pages that were read from the file itself.
    from_file: RefCell<BTreeSet<u32>>,
    /// Pages that were asked for, and may be again.
    kept: RefCell<BTreeMap<u32, Rc<[u8]>>>,
}

/// What tells a file from itself after a change, where no write-ahead log does.
#[derive(Debug, PartialEq, Eq)]
struct State {
    inode: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Pages {
    /// Opens a database.
    pub(crate) fn open(path: &Path) -> Result<Self, Fault> {
        let file = open(path)?;
        let state = State::of(&file)?;
        let header = read_header(&file)?;
        refuse_interrupted(path, &header)?;
        let log = log(path, &header)?;
        // What the file's own header says is not kept up to date by old versions.
        let in_file = state.length / u64::from(header.page_size);
        let in_file = u32::try_from(in_file).unwrap_or(u32::MAX);
        let count = match &log {
            Some((_, wal)) => wal.pages.min(in_file.max(wal.last())),
            None => in_file,
        };
        Ok(Self {
            path: path.to_owned(),
            file,
            header,
            count,
            log,
            state,
            from_file: RefCell::default(),
            kept: RefCell::default(),
        })
    }

    /// Whether everything that was read since belongs to the moment at which the database was opened.
    pub(crate) fn unchanged(&self) -> Result<bool, Fault> {
        let Some((log, before)) = &self.log else {
            let now = Self::open(&self.path)?;
            return Ok(now.log.is_none() && self.state == now.state && self.header == now.header);
        };
        let is_same = State::of(&open(&self.path)?)?.inode == self.state.inode
            && open_beside(&self.path, LOG)?.is_some_and(|now| are_one(&now, log));
        let after = before.continued(log, self.header.page_size)?;
        let read = self.from_file.borrow();
        Ok(is_same && after.is_some_and(|after| !read.iter().any(|page| after.has(*page))))
    }

    /// How many pages there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of a page that hold something.
    pub(super) fn usable(&self) -> usize {
        self.header.usable as usize
    }

    /// A page's usable bytes, kept for whoever asks again: for ways through a tree, which have their beginning in common.
    pub(super) fn keep(&self, number: u32) -> Result<Rc<[u8]>, Fault> {
        if let Some(page) = self.kept.borrow().get(&number) {
            return Ok(Rc::clone(page));
        }
        let page: Rc<[u8]> = self.page(number)?.into();
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT_MAX / self.usable() {
            kept.clear();
        }
        kept.insert(number, Rc::clone(&page));
        Ok(page)
    }

    /// A page's usable bytes. Pages are counted from 1.
    pub(super) fn page(&self, number: u32) -> Result<Vec<u8>, Fault> {
        if number == 0 || number > self.count {
            return Err(Damage::NoPage(number).into());
        }
        let mut bytes = vec![0; self.usable()];
        let in_log = self
            .log
            .as_ref()
            .and_then(|(file, wal)| Some((file, wal.place(number)?)));
        let (file, place) = in_log.unwrap_or_else(|| {
            self.from_file.borrow_mut().insert(number);
            let before = u64::from(number - 1);
            (&self.file, before * u64::from(self.header.page_size))
        });
        match file.read_exact_at(&mut bytes, place) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Damage::NoPage(number).into())
            }
            other => Ok(other.map(|()| bytes)?),
        }
    }
}

impl State {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            inode: (found.dev(), found.ino()),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

/// Whether two open files are the same.
fn are_one(one: &File, other: &File) -> bool {
    let inode = |file: &File| State::of(file).ok().map(|state| state.inode);
    inode(one).is_some() && inode(one) == inode(other)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(FLAGS).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// Opens a file that may be missing.
fn open_beside(path: &Path, suffix: &str) -> io::Result<Option<File>> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    match open(Path::new(&beside)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn read_header(file: &File) -> Result<Header, Fault> {
    let mut bytes = [0; header::LENGTH];
    match file.read_exact_at(&mut bytes, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Damage::Magic.into()),
        other => {
            other?;
            Ok(Header::read(&bytes)?)
        }
    }
}

/// A journal whose first bytes are not zero holds what a transaction has overwritten: without it the file is of no moment at all.
fn refuse_interrupted(path: &Path, header: &Header) -> Result<(), Fault> {
    if header.logged {
        return Ok(());
    }
    let Some(journal) = open_beside(path, "-journal")? else {
        return Ok(());
    };
    let mut first = [0; 4];
    let there = journal.read_at(&mut first, 0)? == first.len();
    match there && u32_at(&first, 0) != Some(0) {
        true => Err(Damage::Interrupted.into()),
        false => Ok(()),
    }
}

fn log(path: &Path, header: &Header) -> Result<Option<(File, Wal)>, Fault> {
    if !header.logged {
        return Ok(None);
    }
    let Some(file) = open_beside(path, LOG)? else {
        return Ok(None);
    };
    let wal = Wal::read(&file, header.page_size)?;
    Ok(wal.map(|wal| (file, wal)))
}
