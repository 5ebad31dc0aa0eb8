//! The entries of a directory, in the order in which a NAR has them.

use std::os::fd::BorrowedFd;

use rustix::fs::{FileType, RawDir};
use rustix::io::Errno;

/// Bytes of entries that the kernel is asked for at once.
const LISTING: usize = 32 * 1024;
/// Bytes that an entry has in a NAR at least, beside its name: nine strings of words, the length of a tenth, and more in what it is.
const ENTRY: u64 = 9 * 16 + 8;

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
    /// Reads a directory that was just opened; nothing when its entries need more bytes of NAR than there is room for. What they need is
    /// taken from the room: a directory of a hostile disk has names without end, and all of them would lie in memory before one is written.
    pub(super) fn read(
        directory: BorrowedFd<'_>,
        listing: &mut Listing,
        room: &mut u64,
    ) -> Result<Option<Self>, Errno> {
        let mut names = Self::default();
        let mut raw = RawDir::new(directory, listing.0.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            match room.checked_sub(ENTRY + name.len() as u64) {
                Some(left) => *room = left,
                None => return Ok(None),
            }
            names.push(name, entry.file_type());
        }
        names.sort();
        Ok(Some(names))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_directory_is_read_no_further_than_there_is_room_in_the_nar() {
        let folder = tempfile::tempdir().unwrap();
        let needed: u64 = (0..1000_u64)
            .map(|number| {
                let name = format!("{number:0200}");
                fs::write(folder.path().join(&name), "").unwrap();
                ENTRY + 200
            })
            .sum();
        let read = |mut room: u64| {
            let directory = File::open(folder.path()).unwrap();
            let names = Names::read(directory.as_fd(), &mut Listing::new(), &mut room).unwrap();
            let mut listing = Listing::new();
            let mut rest = RawDir::new(directory.as_fd(), listing.0.spare_capacity_mut());
            (names, room, rest.next().is_some())
        };
        let (names, left, more) = read(needed + 7);
        assert_eq!((names.unwrap().entries.len(), left, more), (1000, 7, false));
        assert!(read(needed - 1).0.is_none());
        // Most of it was never asked for.
        let (names, _, more) = read(10_000);
        assert!(names.is_none() && more);
    }

    #[test]
    fn no_entry_of_a_nar_is_shorter_than_is_reckoned() {
        let folder = tempfile::tempdir().unwrap();
        let size = || crate::nar::hash_path(folder.path()).unwrap().size;
        let empty = size();
        fs::write(folder.path().join("f"), "").unwrap();
        let file = size();
        std::os::unix::fs::symlink("t", folder.path().join("l")).unwrap();
        let link = size();
        fs::create_dir(folder.path().join("d")).unwrap();
        for entry in [file - empty, link - file, size() - link] {
            assert!(entry > ENTRY, "{entry}");
        }
    }
}
