//! What nobody wants any more goes.

use std::io;

use super::failure::{Action, Failure, TransactionError, at_path};
use super::journal::gone;
use super::{Progress, Volume};
use crate::{EspPath, FileSystem};

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
        let removed = plan.removals().iter().map(|path| remove(*fs, path));
        failures.extend(removed.filter_map(Result::err));
        let removed = plan
            .empty_folders()
            .iter()
            .map(|path| remove_folder(*fs, path));
        failures.extend(removed.filter_map(Result::err));
        if !plan.removals().is_empty() || !plan.empty_folders().is_empty() {
            let synced = fs.sync().map_err(at_path(*fs, Action::Sync, None));
            failures.extend(synced.err());
        }
    }
    match failures.is_empty() {
        true => Ok(()),
        false => Err(TransactionError::Collection(failures)),
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
