//! Files that come next in a directory, opened before it is their turn, so that the disk reads them while others are hashed.
//!
//! A NAR is one stream, in the order of the names: without this a path of many small files would wait for the disk once a file.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{self, Advice, FileType};

use super::names::Names;
use super::open::Opener;

/// Files of a directory that are open before their turn.
const FILES: usize = 8;
/// How much of a file is asked for ahead, in bytes: the kernel itself reads ahead what is being read in order.
const BYTES: u64 = 256 * 1024;

/// The files of one directory that are open already, in their order.
#[derive(Default)]
pub(super) struct Ahead {
    open: VecDeque<(usize, OwnedFd)>,
    /// The first place that was not looked at.
    next: usize,
}

impl Ahead {
    /// The file at a place, if it was opened, after those behind it were.
    pub(super) fn take(
        &mut self,
        place: usize,
        names: &Names,
        parent: BorrowedFd<'_>,
        opener: &mut Opener,
    ) -> Option<OwnedFd> {
        self.next = self.next.max(place);
        while self.next <= place + FILES {
            let Some((name, kind)) = names.get(self.next) else {
                break;
            };
            // What cannot be opened now fails again when it is its turn, and is named then.
            if kind == FileType::RegularFile
                && let Ok(file) = opener.file(parent, name)
            {
                let wanted = NonZeroU64::new(BYTES);
                // Advice: a file system that takes none is slower and nothing else.
                let _ = fs::fadvise(&file, 0, wanted, Advice::WillNeed);
                self.open.push_back((self.next, file));
            }
            self.next += 1;
        }
        match self.open.front() {
            Some((first, _)) if *first == place => self.open.pop_front().map(|(_, file)| file),
            _ => None,
        }
    }

    /// Closes them until the walk comes back from below: however deep it goes, few files are open.
    pub(super) fn pause(&mut self, place: usize) {
        self.open.clear();
        self.next = place;
    }
}
