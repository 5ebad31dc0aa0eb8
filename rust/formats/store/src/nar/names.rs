//! The entries of a directory, in the order in which a NAR has them.

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

/// Bytes of entries that the kernel is asked for at once.
const LISTING: usize = 32 * 1024;

/// One name: where it lies among the others, and what the directory says that it names.
struct Entry {
    start: usize,
    length: usize,
    kind: FileType,
}

/// The names in a directory, sorted by their bytes. All lie in one piece of memory: a store has hundreds of thousands of them.
#[derive(Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Names {
    /// Reads a directory that was just opened.
    pub(super) fn read(directory: BorrowedFd<'_>, listing: &mut Listing) -> Result<Self, Errno> {
        let mut names = Self::default();
        let mut raw = RawDir::new(directory, listing.0.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                names.push(name, entry.file_type());
            }
        }
        names.sort();
        Ok(names)
    }

    fn push(&mut self, name: &[u8], kind: FileType) {
        self.entries.push(Entry {
            start: self.bytes.len(),
            length: name.len(),
            kind,
        });
        self.bytes.extend_from_slice(name);
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        let name = |entry: &Entry| bytes.get(entry.start..entry.start + entry.length);
        self.entries
            .sort_unstable_by(|one, other| name(one).cmp(&name(other)));
    }

    /// The name at a place in the order, and what it names as far as the directory says so.
    pub(super) fn get(&self, place: usize) -> Option<(&[u8], FileType)> {
        let entry = self.entries.get(place)?;
        let name = self.bytes.get(entry.start..entry.start + entry.length)?;
        Some((name, entry.kind))
    }
}

/// What the kernel writes entries into.
pub(super) struct Listing(Vec<u8>);

impl Listing {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(LISTING))
    }
}
