//! What nobody wants any more goes.

use std::io;

use super::failure::{Action, Failure, TransactionError, at_path};
use super::journal::gone;
use super::{Progress, Volume};
use crate::{EspPath, FileSystem, Plan, names};

/// What interrupted runs left, before anything is written: it may be in the way.
pub(super) fn leftovers<F: FileSystem>(volumes: &[Volume<'_, F>]) -> Result<(), Failure> {
    for (fs, plan) in volumes
        .iter()
        .filter(|(_, plan)| !plan.leftovers().is_empty())
    {
        for path in plan.leftovers() {
            remove(*fs, path)?;
        }
        fs.sync().map_err(at_path(*fs, Action::Sync, None))?;
    }
    Ok(())
}

/// Everything else, after everything new is on the disks. What fails on one of them does not keep the rest from going on the others.
pub(super) fn garbage<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    progress: &mut dyn Progress,
) -> Result<(), TransactionError> {
    progress.phase("removing what is not needed any more");
    let collected = volumes.iter().map(|(fs, plan)| collect(*fs, plan));
    let failures: Vec<Failure> = collected.filter_map(Result::err).collect();
    match failures.is_empty() {
        true => Ok(()),
        false => Err(TransactionError::Collection(failures)),
    }
}

/// Entries first, and it ends at the first failure: what an entry names stays while the entry does.
fn collect<F: FileSystem>(fs: &F, plan: &Plan<'_>) -> Result<(), Failure> {
    let (entries, files): (Vec<_>, Vec<_>) =
        plan.removals().iter().partition(|path| names::listed(path));
    let (entries_aside, files_aside): (Vec<_>, Vec<_>) = plan
        .set_aside()
        .iter()
        .partition(|(path, _)| names::listed(path));
    for (aside, removals) in [(entries_aside, entries), (files_aside, files)] {
        set_aside(fs, &aside)?;
        removals.iter().try_for_each(|path| remove(fs, path))?;
    }
    let folders = plan.empty_folders();
    folders
        .iter()
        .try_for_each(|path| remove_folder(fs, path))?;
    match plan.removals().is_empty() && folders.is_empty() {
        true => Ok(()),
        false => fs.sync().map_err(at_path(fs, Action::Sync, None)),
    }
}

/// What may share its clusters has other names, on the disk, before any of it goes.
fn set_aside<F: FileSystem>(fs: &F, names: &[&(EspPath, EspPath)]) -> Result<(), Failure> {
    for (path, aside) in names {
        gone(fs.rename(path, aside)).map_err(at_path(fs, Action::Remove, Some(path)))?;
    }
    match names.is_empty() {
        true => Ok(()),
        false => fs.sync().map_err(at_path(fs, Action::Sync, None)),
    }
}

fn remove<F: FileSystem>(fs: &F, path: &EspPath) -> Result<(), Failure> {
    gone(fs.remove(path)).map_err(at_path(fs, Action::Remove, Some(path)))
}

/// One that is not empty has something in it that nobody knows.
fn remove_folder<F: FileSystem>(fs: &F, path: &EspPath) -> Result<(), Failure> {
    match gone(fs.remove_folder(path)) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other.map_err(at_path(fs, Action::Remove, Some(path))),
    }
}
