//! Boot assessment: an entry is good, or bad, and its name says so.
//!
//! What systemd-bless-boot does for systems that do not have it, and on every copy of the partition. Only the entry that the boot loader named, or
//! the caller, is touched; never another.
//!
//! Sources: systemd, Automatic Boot Assessment; systemd-bless-boot.service(8).

pub(crate) mod command;
mod find;
mod rename;

use std::io;

use touchstone_esp::{BootCount, EntryKind, EspPath, FileSystem, PathError};

use find::{Found, Wanted};

/// What an entry is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It booted well: its counter goes.
    Good,
    /// It is not to be tried again: no attempt is left.
    Bad,
}

/// Which entry is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one whose boot the boot loader counts, as it was called when it was started (`LoaderBootCountPath`).
    Counted(EspPath),
    /// The one of this name, with its counter or without.
    Named(String),
}

/// What became of an entry on one file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where the file system is mounted.
    pub volume: String,
    /// What the entry was called.
    pub from: EspPath,
    /// What it is called now; the same when it was so already.
    pub to: EspPath,
    /// Other files of the same entry, which a loss of power left: they may share their content's place on the disk with it.
    pub beside: Vec<EspPath>,
}

/// Why an entry cannot be marked.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// Reading or changing a file system failed.
    #[error(
        "{volume}: cannot {what} {path}: {source}\n  help: try again; the entry is still there, under its old name or its new one"
    )]
    Io {
        /// Where it is mounted.
        volume: String,
        /// What was to be done.
        what: &'static str,
        /// The file or folder.
        path: EspPath,
        /// What the system says.
        source: io::Error,
    },
    /// The boot loader named something that cannot be a counted entry.
    #[error(
        "the boot loader counts {0}, which is no boot entry with a counter\n  help: it must lie in EFI/Linux or loader/entries and end in +LEFT-DONE before the extension"
    )]
    NotCounted(EspPath),
    /// A name is no file name of an entry.
    #[error(
        "{0:?} is no name of a boot entry\n  help: it must end in .efi or .conf, and hold no slash; `touchstone-install status` lists them"
    )]
    Name(String),
    /// The entry is nowhere.
    #[error("there is no boot entry {id} on {}\n  help: it was removed, or is on a partition that touchstone/install.json does not name", volumes.join(", "))]
    Missing {
        /// Its name without the counter.
        id: String,
        /// Where it was looked for.
        volumes: Vec<String>,
    },
    /// Several files are the entry, and none of them is the one that was started.
    #[error(
        "{volume}: {} are one boot entry; a loss of power left them\n  help: run fsck.fat, and keep one",
        names(files)
    )]
    Several {
        /// Where they are.
        volume: String,
        /// The files.
        files: Vec<EspPath>,
    },
    /// The entry's content is not what its name says.
    #[error(
        "{volume}: {path} is damaged: its content is not that of which its name holds the hash\n  help: install again, which replaces it"
    )]
    Damaged {
        /// Where it is.
        volume: String,
        /// The entry.
        path: EspPath,
    },
    /// A name with its new counter is too long.
    #[error(transparent)]
    Path(#[from] PathError),
}

fn names(files: &[EspPath]) -> String {
    let names: Vec<&str> = files.iter().map(EspPath::as_str).collect();
    names.join(" and ")
}

/// Marks an entry on all of these file systems, each of which is taken by itself: one that fails leaves the others marked.
///
/// # Errors
/// [`AssessError`] when nothing was marked for one reason; of a file system that failed, in the answer.
pub fn assess<F: FileSystem>(
    volumes: &[&F],
    which: &Which,
    mark: Mark,
) -> Result<Vec<Result<Change, AssessError>>, AssessError> {
    let wanted = Wanted::new(which)?;
    let mut done = Vec::new();
    for volume in volumes {
        match find::find(*volume, &wanted) {
            Ok(None) => (),
            Ok(Some(found)) => done.push(mark_one(*volume, &found, mark)),
            Err(error) => done.push(Err(error)),
        }
        // The name of an entry of ours holds the hash of its content. One of somebody else's may be another entry on another partition.
        if !done.is_empty() && !wanted.is_ours() {
            break;
        }
    }
    if done.is_empty() {
        return Err(AssessError::Missing {
            id: wanted.id().to_owned(),
            volumes: volumes.iter().map(|one| one.name().to_owned()).collect(),
        });
    }
    Ok(done)
}

fn mark_one<F: FileSystem>(volume: &F, found: &Found, mark: Mark) -> Result<Change, AssessError> {
    let chosen = find::choose(volume.name(), found, mark)?;
    let to = match chosen.is_so {
        true => chosen.path.clone(),
        false => renamed(&chosen.path, mark, found.done)?,
    };
    if to != chosen.path {
        match mark {
            Mark::Good => rename::safely(volume, &chosen.path, &to)?,
            Mark::Bad => rename::plainly(volume, &chosen.path, &to)?,
        }
    }
    let others = found.files.iter().filter(|file| **file != chosen.path);
    let beside = others.cloned().collect();
    Ok(Change {
        volume: volume.name().to_owned(),
        from: chosen.path,
        to,
        beside,
    })
}

/// The entry's path when it is marked. `done` are the attempts that the boot loader says it made.
fn renamed(path: &EspPath, mark: Mark, done: Option<u32>) -> Result<EspPath, PathError> {
    let (name, count) = BootCount::split(path.name());
    let done = done.or(count.and_then(|count| count.done));
    let count = match mark {
        Mark::Good => None,
        Mark::Bad => Some(BootCount { left: 0, done }),
    };
    let counter = count.map(|count| count.to_string()).unwrap_or_default();
    let name = match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}{counter}.{extension}"),
        None => format!("{name}{counter}"),
    };
    match path.folder() {
        Some(folder) => folder.join(&name),
        None => EspPath::parse(&name),
    }
}

/// The folders in which the boot loader finds entries.
fn folders() -> [&'static str; 2] {
    [EntryKind::Type2.folder(), EntryKind::Type1.folder()]
}

#[cfg(test)]
mod tests;
