//! The files below a path, in the order of their names.

use std::fs;
use std::io;
use std::path::Path;

use crate::source::{Entry, entries};
use crate::{Error, Files};

/// Calls `each` with every regular file below `root`, or with `root` when it is one. Symbolic links are passed over.
///
/// # Errors
/// [`Error::Open`] when a folder cannot be read, and those of `each`.
pub(crate) fn files(
    files: &dyn Files,
    root: &Path,
    each: &mut dyn FnMut(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    everything(files, root, &mut |path, kind| match kind.is_file() {
        true => each(path),
        false => Ok(()),
    })
}

/// Calls `each` with `root` and everything below it: files, folders, symbolic links and what else there is. Links are not followed.
///
/// # Errors
/// [`Error::Open`] when a folder cannot be read, and those of `each`.
pub(crate) fn everything(
    files: &dyn Files,
    root: &Path,
    each: &mut dyn FnMut(&Path, fs::FileType) -> Result<(), Error>,
) -> Result<(), Error> {
    let about = files.locate(root).and_then(fs::symlink_metadata);
    let kind = about.map_err(|source| failed(root, source))?.file_type();
    each(root, kind)?;
    if !kind.is_dir() {
        return Ok(());
    }
    // A list and no recursion: folders may be as deep as somebody likes.
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        let mut folders = Vec::new();
        for Entry { name, kind } in
            entries(files, &folder).map_err(|source| failed(&folder, source))?
        {
            let path = folder.join(name);
            each(&path, kind)?;
            if kind.is_dir() {
                folders.push(path);
            }
        }
        waiting.extend(folders.into_iter().rev());
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::Open {
        role: "path that is looked through",
        file: path.to_owned(),
        source,
    }
}
