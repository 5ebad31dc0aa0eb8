//! New files, under names for the time being.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::failure::{Action, Cause, Failure, at_path};
use super::journal::{Done, Journal};
use super::{Progress, Volume};
use crate::plan::Write;
use crate::{Content, EspPath, FileSystem, Plan};

const CHUNK: usize = 256 << 10;

/// Whether there is enough room everywhere, now that leftovers are gone.
pub(super) fn room<F: FileSystem>(volumes: &[Volume<'_, F>]) -> Result<(), Failure> {
    for (fs, plan) in volumes.iter().filter(|(_, plan)| !plan.writes().is_empty()) {
        let cost = plan.cost();
        let room = fs.room().map_err(at_path(*fs, Action::Measure, None))?;
        let needed = cost.needed.saturating_add(cost.reserve);
        if needed > room.free {
            let free = room.free;
            return Err(at_path(*fs, Action::Write, None)(Cause::Full {
                needed,
                free,
            }));
        }
    }
    Ok(())
}

/// Writes everything everywhere, and brings it to the disks.
pub(super) fn all<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    journal: &mut Journal,
    progress: &mut dyn Progress,
) -> Result<(), Failure> {
    progress.phase("writing");
    let writes = volumes.iter().flat_map(|(_, plan)| plan.writes());
    let total = writes.map(|write| write.content.size()).sum();
    let mut shown = Shown {
        progress,
        done: 0,
        total,
    };
    for (number, (fs, plan)) in volumes.iter().enumerate() {
        if plan.writes().is_empty() {
            continue;
        }
        for folder in plan.folders() {
            let made = journal.attempt(number, Done::Folder(folder.clone()), || {
                fs.create_folder(folder)
            });
            made.map_err(at_path(*fs, Action::MakeFolder, Some(folder)))?;
        }
        for write in plan.writes() {
            file(*fs, number, write, journal, &mut shown)?;
        }
        sync(*fs, plan)?;
    }
    Ok(())
}

fn file<F: FileSystem>(
    fs: &F,
    volume: usize,
    write: &Write<'_>,
    journal: &mut Journal,
    shown: &mut Shown<'_>,
) -> Result<(), Failure> {
    let created = journal.attempt(volume, Done::Staged(write.stage.clone()), || {
        fs.create(&write.stage)
    });
    let mut writer = created.map_err(at_path(fs, Action::Write, Some(&write.path)))?;
    let filled = match write.content {
        Content::Bytes(bytes) => fill(bytes, &mut writer, shown),
        Content::Copy { source, .. } => copy(source, write, &mut writer, shown),
    };
    filled.map_err(at_path(fs, Action::Write, Some(&write.path)))?;
    fs.sync_file(writer)
        .map_err(at_path(fs, Action::Sync, Some(&write.path)))
}

fn fill(bytes: &[u8], writer: &mut impl io::Write, shown: &mut Shown<'_>) -> Result<(), Cause> {
    for chunk in bytes.chunks(CHUNK) {
        writer.write_all(chunk)?;
        shown.more(chunk.len());
    }
    Ok(())
}

/// Copies a file, which must be what it should be.
fn copy(
    source: &Path,
    write: &Write<'_>,
    writer: &mut impl io::Write,
    shown: &mut Shown<'_>,
) -> Result<(), Cause> {
    let unreadable = |error| Cause::Source {
        file: source.to_owned(),
        source: error,
    };
    let mut reader = File::open(source)
        .map_err(unreadable)?
        .take(write.content.size().saturating_add(1));
    let (mut hash, mut size, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        let count = match reader.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(unreadable)?,
        };
        let bytes = chunk.get(..count).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        size += bytes.len() as u64;
        if size > write.content.size() {
            break;
        }
        hash.update(bytes);
        writer.write_all(bytes)?;
        shown.more(bytes.len());
    }
    let same = size == write.content.size() && write.sha256 == <[u8; 32]>::from(hash.finalize());
    match same {
        true => Ok(()),
        false => Err(Cause::Changed {
            file: source.to_owned(),
        }),
    }
}

/// Names as well: those of new files, and those of new folders in theirs.
fn sync<F: FileSystem>(fs: &F, plan: &Plan<'_>) -> Result<(), Failure> {
    let stages = plan.writes().iter().map(|write| write.stage.folder());
    let folders = plan.folders().iter().map(EspPath::folder);
    let touched: BTreeSet<Option<EspPath>> = stages.chain(folders).collect();
    for folder in &touched {
        let folder = folder.as_ref();
        fs.sync_folder(folder)
            .map_err(at_path(fs, Action::Sync, folder))?;
    }
    fs.sync().map_err(at_path(fs, Action::Sync, None))
}

struct Shown<'a> {
    progress: &'a mut dyn Progress,
    done: u64,
    total: u64,
}

impl Shown<'_> {
    fn more(&mut self, count: usize) {
        self.done += count as u64;
        self.progress.bytes(self.done, self.total);
    }
}
