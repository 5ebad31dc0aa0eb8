//! What was done, so that it can be undone.

use std::io;

use super::Volume;
use super::failure::{Action, Failure, TransactionError, at_path};
use crate::verified::digest;
use crate::{EspPath, FileSystem};

/// What was done, in order. It lives in memory only: after a crash there is nothing to undo, the next run completes.
#[derive(Default)]
pub(super) struct Journal {
    /// Which file system, and what.
    done: Vec<(usize, Done)>,
}

/// Something that was done, or may have been although an error was reported.
pub(super) enum Done {
    /// A folder was made.
    Folder(EspPath),
    /// A file was begun under its name for the time being.
    Staged(EspPath),
    /// A new file got its name.
    Published(EspPath),
    /// A file took the name of another, which has the name for the time being.
    Exchanged {
        stage: EspPath,
        path: EspPath,
        /// Of the new one.
        sha256: [u8; 32],
    },
}

impl Journal {
    /// Does something and notes it; also when it fails, unless that proves that nothing was done.
    pub(super) fn attempt<T>(
        &mut self,
        volume: usize,
        done: Done,
        act: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let result = act();
        let nothing = [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound];
        if !result
            .as_ref()
            .is_err_and(|error| nothing.contains(&error.kind()))
        {
            self.done.push((volume, done));
        }
        result
    }

    /// Undoes everything, the last first: names, and when those are on the disk, files and folders that have none. The other way round, a
    /// name could come back after a loss of power whose clusters are free.
    pub(super) fn undo<F: FileSystem>(
        self,
        volumes: &[Volume<'_, F>],
        failure: Failure,
    ) -> TransactionError {
        let mut left = Vec::new();
        let (names, files): (Vec<_>, Vec<_>) = self
            .done
            .into_iter()
            .rev()
            .partition(|(_, done)| done.is_name());
        for half in [names, files] {
            for (volume, done) in &half {
                if let Some((fs, _)) = volumes.get(*volume) {
                    left.extend(done.undo(*fs).err());
                }
            }
            left.extend(sync(volumes, &half));
        }
        match left.is_empty() {
            true => TransactionError::Undone(failure),
            false => TransactionError::Left { failure, left },
        }
    }
}

fn sync<F: FileSystem>(volumes: &[Volume<'_, F>], undone: &[(usize, Done)]) -> Vec<Failure> {
    let touched = |number: usize| undone.iter().any(|(volume, _)| *volume == number);
    let volumes = volumes
        .iter()
        .enumerate()
        .filter(|(number, _)| touched(*number));
    volumes
        .filter_map(|(_, (fs, _))| fs.sync().map_err(at_path(*fs, Action::Sync, None)).err())
        .collect()
}

impl Done {
    fn is_name(&self) -> bool {
        matches!(self, Done::Published(_) | Done::Exchanged { .. })
    }

    fn undo(&self, fs: &impl FileSystem) -> Result<(), Failure> {
        match self {
            Done::Folder(path) => {
                gone(fs.remove_folder(path)).map_err(at_path(fs, Action::Remove, Some(path)))
            }
            Done::Staged(path) | Done::Published(path) => {
                gone(fs.remove(path)).map_err(at_path(fs, Action::Remove, Some(path)))
            }
            Done::Exchanged {
                stage,
                path,
                sha256,
            } => exchange_back(fs, stage, path, sha256).map_err(at_path(
                fs,
                Action::Restore,
                Some(path),
            )),
        }
    }
}

/// An exchange that was reported as failed may have happened: the content tells.
fn exchange_back(
    fs: &impl FileSystem,
    stage: &EspPath,
    path: &EspPath,
    new: &[u8; 32],
) -> io::Result<()> {
    match digest(fs, path)? == *new {
        true => fs.exchange(stage, path),
        false => Ok(()),
    }
}

/// What is not there need not go.
pub(super) fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
