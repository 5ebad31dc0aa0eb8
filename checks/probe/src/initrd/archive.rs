//! The archive of an initrd: the form newc, the same bytes for the same files.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

/// What lies at a path of the archive.
pub struct Entry {
    kind: ModeFileType,
    mode: u32,
    content: Vec<u8>,
}

impl Entry {
    /// A file that nobody writes to.
    pub fn file(content: impl Into<Vec<u8>>) -> Entry {
        Entry {
            kind: ModeFileType::Regular,
            mode: 0o444,
            content: content.into(),
        }
    }

    /// A file that everybody may run.
    pub fn program(content: impl Into<Vec<u8>>) -> Entry {
        Entry {
            mode: 0o555,
            ..Entry::file(content)
        }
    }

    /// A symbolic link.
    pub fn link(target: impl Into<Vec<u8>>) -> Entry {
        Entry {
            kind: ModeFileType::Symlink,
            mode: 0o777,
            ..Entry::file(target)
        }
    }

    /// An empty folder.
    pub fn folder(mode: u32) -> Entry {
        Entry {
            kind: ModeFileType::Directory,
            mode,
            content: Vec::new(),
        }
    }
}

/// The files of an archive by their paths, without `/` at the beginning.
#[derive(Default)]
pub struct Archive {
    entries: BTreeMap<String, Entry>,
}

impl Archive {
    /// Puts something at a path, in the place of what was there; folders above it are made where they are missing.
    pub fn add(&mut self, path: &str, entry: Entry) {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default().to_owned();
            self.entries
                .entry(folder)
                .or_insert_with(|| Entry::folder(0o755));
        }
        self.entries.insert(path.to_owned(), entry);
    }

    /// Writes it: entries are sorted, belong to root, have no time stamp and are numbered from 1.
    pub fn write<W: Write>(self, out: &mut W) -> Result<()> {
        for ((path, entry), number) in self.entries.into_iter().zip(1..) {
            let links = if matches!(entry.kind, ModeFileType::Directory) {
                2
            } else {
                1
            };
            let size = u32::try_from(entry.content.len())
                .context("a file of 4 GiB or more does not fit a newc archive")?;
            let mut place = Builder::new(&path)
                .ino(number)
                .nlink(links)
                .mode(entry.mode)
                .set_mode_file_type(entry.kind)
                .write(&mut *out, size);
            place.write_all(&entry.content)?;
            place.finish()?;
        }
        trailer(&mut *out)?;
        out.flush()?;
        Ok(())
    }
}
