//! What nobody wants any more goes.

use std::io;

use super::failure::{Action, Failure, TransactionError, at_path};
use super::journal::gone;
use super::{Progress, Volume};
use crate::{EspPath, FileSystem, Plan};

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

/// Everything else, after everything new is on the disks. What fails does not keep the rest from going.
pub(super) fn garbage<F: FileSystem>(
    volumes: &[Volume<'_, F>],
    progress: &mut dyn Progress,
) -> Result<(), TransactionError> {
    progress.phase("removing what is not needed any more");
    let mut failures = Vec::new();
    for (fs, plan) in volumes {
        match set_aside(*fs, plan) {
            Ok(()) => failures.extend(everything(*fs, plan)),
            Err(failure) => failures.push(failure),
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(TransactionError::Collection(failures)),
    }
}

/// What may share its clusters has other names, on the disk, before any of it goes.
fn set_aside<F: FileSystem>(fs: &F, plan: &Plan<'_>) -> Result<(), Failure> {
    for (path, aside) in plan.set_aside() {
        gone(fs.rename(path, aside)).map_err(at_path(fs, Action::Remove, Some(path)))?;
    }
    match plan.set_aside().is_empty() {
        true => Ok(()),
        false => fs.sync().map_err(at_path(fs, Action::Sync, None)),
    }
}

fn everything<F: FileSystem>(fs: &F, plan: &Plan<'_>) -> Vec<Failure> {
    let (files, folders) = (plan.removals(), plan.empty_folders());
    if files.is_empty() && folders.is_empty() {
        return Vec::new();
    }
    let files = files.iter().map(|path| remove(fs, path));
    let folders = folders.iter().map(|path| remove_folder(fs, path));
    let removed: Vec<Result<(), Failure>> = files.chain(folders).collect();
    let synced = fs.sync().map_err(at_path(fs, Action::Sync, None));
    removed
        .into_iter()
        .chain([synced])
        .filter_map(Result::err)
        .collect()
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
