//! An image as an agent is shown it: perhaps while it is still written, and without what the agent finds in its store.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use touchstone_pe::layout::CopiedFile;
use touchstone_store::StoreFile;

use crate::Files;

/// A range of an image that is a whole file of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct StorePart {
    /// Offset of its first byte in the image.
    pub at: u64,
    /// Size of the file in bytes.
    pub size: u64,
    /// The file, no link on the way to it.
    pub file: StoreFile,
}

impl StorePart {
    /// From this size on a file is named and not shown: below it is not worth a look at the store.
    const WORTH_NAMING: u64 = 64 << 10;

    /// The part that a file becomes; none when it lies elsewhere than in the store.
    pub(crate) fn of(copied: CopiedFile, files: &dyn Files) -> Option<Self> {
        let CopiedFile { at, size, file } = copied;
        if size < Self::WORTH_NAMING {
            return None;
        }
        let place = fs::canonicalize(files.locate(&file).ok()?).ok()?;
        let file = StoreFile::parse(place.to_str()?).ok()?;
        Some(Self { at, size, file })
    }
}

/// An image that an agent is shown.
#[derive(Clone, Copy, Debug)]
pub struct ShownImage<'a> {
    file: &'a File,
    size: u64,
    parts: &'a [StorePart],
    /// How far it is, where it is still written.
    progress: Option<&'a Progress>,
}

impl<'a> ShownImage<'a> {
    /// An image that is written, and all of which is shown.
    ///
    /// # Errors
    /// When the system does not say how long it is.
    pub fn whole(file: &'a File) -> io::Result<Self> {
        Ok(Self {
            file,
            size: file.metadata()?.len(),
            parts: &[],
            progress: None,
        })
    }

    /// The same, of which these parts need not be shown. They ascend and do not overlap.
    pub fn with_parts(self, parts: &'a [StorePart]) -> Self {
        Self { parts, ..self }
    }

    /// An image that is being written and will have `size` bytes.
    pub(crate) fn arising(file: &'a File, size: u64, progress: &'a Progress) -> Self {
        Self {
            file,
            size,
            parts: &[],
            progress: Some(progress),
        }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The parts that an agent may find in its store. They ascend and do not overlap.
    pub fn parts(&self) -> &'a [StorePart] {
        self.parts
    }

    /// The ranges of the image that are none of these parts.
    pub fn beside(&self, parts: &[StorePart]) -> Vec<Range<u64>> {
        let mut from = 0;
        let mut ranges = Vec::new();
        for part in parts {
            ranges.push(from..part.at);
            from = part.at.saturating_add(part.size);
        }
        ranges.push(from..self.size);
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    /// Reads some bytes at an offset; waits for them, where they are still to be written.
    ///
    /// # Errors
    /// When they cannot be read, or will not come.
    pub fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        if let Some(progress) = self.progress {
            progress.wait_for(at.saturating_add(room.len() as u64).min(self.size))?;
        }
        self.file.read_at(room, at)
    }
}

/// How far an image is written.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Debug, Default)]
struct State {
    written: u64,
    /// Nothing more is written.
    ended: bool,
}

impl Progress {
    /// Waits until this many bytes are written.
    fn wait_for(&self, end: u64) -> io::Result<()> {
        let mut state = self.state();
        while state.written < end {
            if state.ended {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let woken = self.more.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes an image that is shown at the same time. Whoever waits for more is told when it is dropped.
pub(crate) struct Shown<'a> {
    file: &'a mut File,
    at: u64,
    progress: &'a Progress,
}

impl<'a> Shown<'a> {
    /// Writes to `file` from its start.
    pub(crate) fn new(file: &'a mut File, progress: &'a Progress) -> Self {
        Self {
            file,
            at: 0,
            progress,
        }
    }
}

impl Write for Shown<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let got = self.file.write(bytes)?;
        self.at = self.at.saturating_add(got as u64);
        let mut state = self.progress.state();
        state.written = state.written.max(self.at);
        self.progress.more.notify_all();
        Ok(got)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Shown<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.progress.state().ended = true;
        self.progress.more.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]
mod tests {
    use std::path::Path;
    use std::thread;

    use super::*;
    use crate::HostFiles;

    #[test]
    fn an_image_is_shown_while_it_is_written() {
        let mut file = tempfile::tempfile().unwrap();
        let (reading, progress) = (file.try_clone().unwrap(), Progress::default());
        let image = ShownImage::arising(&reading, 10, &progress);
        thread::scope(|scope| {
            let mut out = Shown::new(&mut file, &progress);
            let reader = scope.spawn(|| {
                let mut room = [0; 4];
                let got = image.read_at(&mut room, 4).unwrap();
                (got, room)
            });
            for bytes in [b"01234", b"56789"] {
                out.write_all(bytes).unwrap();
            }
            assert_eq!(reader.join().unwrap(), (4, *b"4567"));
            // What is written once more was there before.
            out.seek(SeekFrom::Start(1)).unwrap();
            out.write_all(b"x").unwrap();
        });
        let mut room = [0; 16];
        assert_eq!(image.read_at(&mut room, 0).unwrap(), 10);
        assert_eq!(&room[..10], b"0x23456789");
    }

    #[test]
    fn whoever_waits_for_what_is_never_written_is_told() {
        let mut file = tempfile::tempfile().unwrap();
        let (reading, progress) = (file.try_clone().unwrap(), Progress::default());
        let image = ShownImage::arising(&reading, 10, &progress);
        let read = thread::scope(|scope| {
            let mut out = Shown::new(&mut file, &progress);
            let reader = scope.spawn(|| image.read_at(&mut [0; 10], 0));
            out.write_all(b"01234").unwrap();
            drop(out);
            reader.join().unwrap()
        });
        assert_eq!(read.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_beside_the_parts_is_shown() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(100).unwrap();
        let image = ShownImage::whole(&file).unwrap();
        let part = |at, size| StorePart {
            at,
            size,
            file: StoreFile::parse("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a").unwrap(),
        };
        assert_eq!(image.beside(&[]), vec![0..100; 1]);
        let parts = [part(0, 10), part(10, 5), part(40, 60)];
        assert_eq!(image.beside(&parts), vec![15..40; 1]);
        assert_eq!(
            image.with_parts(&parts).beside(&parts[1..2]),
            [0..10, 15..100]
        );
    }

    #[test]
    fn what_lies_in_no_store_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("initrd");
        fs::write(&path, vec![0; 100_000]).unwrap();
        let copied = |file: &Path| CopiedFile {
            at: 0,
            size: 100_000,
            file: file.to_owned(),
        };
        assert_eq!(StorePart::of(copied(&path), &HostFiles), None);
        assert_eq!(
            StorePart::of(copied(&folder.path().join("gone")), &HostFiles),
            None
        );
    }
}
