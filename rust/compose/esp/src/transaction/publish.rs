//! New files get their names.

use super::Volume;
use super::failure::{Action, Failure, at_path};
use super::journal::{Done, Journal};
use crate::FileSystem;
use crate::plan::{Phase, Write};

/// Gives all files their names, phase by phase through all file systems. What it returns after is on the disks.
pub(super) fn all<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    journal: &mut Journal,
) -> Result<(), Failure> {
    for phase in [Phase::Before, Phase::Artifacts, Phase::Entries] {
        together(volumes, phase, journal)?;
    }
    one_by_one(volumes, journal)
}

fn together<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    phase: Phase,
    journal: &mut Journal,
) -> Result<(), Failure> {
    for (number, (fs, plan)) in volumes.iter().enumerate() {
        let writes = plan.writes().iter().filter(|write| write.phase == phase);
        let mut any = false;
        for write in writes {
            publish(*fs, number, write, journal)?;
            any = true;
        }
        if any {
            fs.sync().map_err(at_path(*fs, Action::Sync, None))?;
        }
    }
    Ok(())
}

/// The boot loader has two copies, and one of them is always whole.
fn one_by_one<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    journal: &mut Journal,
) -> Result<(), Failure> {
    for (number, (fs, plan)) in volumes.iter().enumerate() {
        for write in plan
            .writes()
            .iter()
            .filter(|write| write.phase == Phase::Fixed)
        {
            publish(*fs, number, write, journal)?;
            fs.sync().map_err(at_path(*fs, Action::Sync, None))?;
        }
    }
    Ok(())
}

fn publish<F: FileSystem>(
    fs: &F,
    volume: usize,
    write: &Write<'_>,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let (stage, path) = (&write.stage, &write.path);
    let published = match write.replaces {
        true => {
            let done = Done::Exchanged {
                stage: stage.clone(),
                path: path.clone(),
                sha256: write.sha256,
            };
            journal.attempt(volume, done, || fs.exchange(stage, path))
        }
        false => journal.attempt(volume, Done::Published(path.clone()), || {
            fs.rename(stage, path)
        }),
    };
    published.map_err(at_path(fs, Action::Publish, Some(path)))
}
