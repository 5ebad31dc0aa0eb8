//! Outputs that appear whole or not at all.
//!
//! A file is written under a temporary name in the folder of its destination, synced, and renamed into place; when anything fails
//! before the rename, the temporary file is removed and what stood at the destination is untouched. Where a destination lies, the caller's
//! [`Files`] say.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Error, Files, HostFiles};

/// Where what is written into a folder lies while [`folder`] lets it be filled: where it is named, whatever the caller's files are.
pub(crate) const STAGED: HostFiles = HostFiles;

/// Writes the file `path` through `write`, and publishes it only when `write` succeeds.
///
/// # Errors
/// [`Error::Write`] when the folder is missing or not writable or something other than a file stands at `path`, and whatever `write`
/// returns.
pub fn file<T>(
    files: &dyn Files,
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, Error>,
) -> Result<T, Error> {
    let failed = |source| Error::Write {
        file: path.to_owned(),
        source,
    };
    let place = files.place(path).map_err(failed)?;
    // The rename would put a file in the place of a device, such as /dev/null.
    if fs::symlink_metadata(&place).is_ok_and(|there| !there.is_file() && !there.is_symlink()) {
        return Err(failed(io::Error::other(
            "what stands there is not a regular file",
        )));
    }
    let mut staged = tempfile::Builder::new()
        .prefix(".touchstone-")
        .permissions(permissions(0o644))
        .tempfile_in(parent(&place))
        .map_err(|error| failed(of_system(error)))?;
    let answer = write(staged.as_file_mut())?;
    staged.as_file().sync_all().map_err(failed)?;
    staged
        .persist(&place)
        .map_err(|error| failed(error.error))?;
    Ok(answer)
}

/// Writes `bytes` as the file `path`, with [`file()`].
///
/// # Errors
/// [`Error::Write`].
pub fn bytes(files: &dyn Files, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    file(files, path, |out| {
        io::Write::write_all(out, bytes).map_err(|source| Error::Write {
            file: path.to_owned(),
            source,
        })
    })
}

/// Writes an answer as a JSON document, if a place is given.
///
/// # Errors
/// [`Error::Write`].
pub fn answer(
    files: &dyn Files,
    path: Option<&Path>,
    answer: &impl serde::Serialize,
) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    file(files, path, |out| {
        serde_json::to_writer_pretty(&mut *out, answer)
            .map_err(io::Error::from)
            .and_then(|()| io::Write::write_all(out, b"\n"))
            .map_err(|source| Error::Write {
                file: path.to_owned(),
                source,
            })
    })
}

/// Fills a folder through `fill`, and publishes it as `path` only when `fill` succeeds.
///
/// # Errors
/// [`Error::Exists`] when something stands at `path` already, [`Error::Write`], and whatever `fill` returns.
pub fn folder<T>(
    files: &dyn Files,
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<T, Error>,
) -> Result<T, Error> {
    let failed = |source| Error::Write {
        file: path.to_owned(),
        source,
    };
    let place = files.place(path).map_err(failed)?;
    if fs::symlink_metadata(&place).is_ok() {
        return Err(Error::Exists {
            file: path.to_owned(),
        });
    }
    let staged = tempfile::Builder::new()
        .prefix(".touchstone-")
        .permissions(permissions(0o755))
        .tempdir_in(parent(&place))
        .map_err(|error| failed(of_system(error)))?;
    let answer = fill(staged.path()).map_err(|error| as_published(error, staged.path(), path))?;
    fs::rename(staged.path(), &place).map_err(failed)?;
    // Renamed away: there is nothing left for the guard to remove.
    let _: PathBuf = staged.keep();
    Ok(answer)
}

/// Names a file by where it would have been, not by where it was staged.
fn as_published(error: Error, staged: &Path, path: &Path) -> Error {
    let named = |file: PathBuf| match file.strip_prefix(staged) {
        Ok(inner) => path.join(inner),
        Err(_) => file,
    };
    match error {
        Error::Write { file, source } => Error::Write {
            file: named(file),
            source,
        },
        Error::WriteImage { file, source } => Error::WriteImage {
            file: named(file),
            source,
        },
        Error::Sign { file, source } => Error::Sign {
            file: named(file),
            source,
        },
        Error::NoSignature { file, image } => Error::NoSignature {
            file,
            image: named(image),
        },
        other => other,
    }
}

/// The system's error alone: `tempfile` adds the temporary path, which tells nobody anything.
fn of_system(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((fact, _)) => io::Error::new(error.kind(), fact),
        None => error,
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn permissions(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}
