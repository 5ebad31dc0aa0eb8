//! Documents in files.

use std::path::{Path, PathBuf};

use touchstone_bootspec::touchstone::{self, Touchstone};
use touchstone_bootspec::{Document, Extensions, INITRD_SECRETS, InitrdSecrets};

use super::{NoBootspec, initrd_secrets_place};
use crate::source::{is_folder, read_small};
use crate::{Error, Files};

/// What a document is called in the folder of a generation, or of boot artifacts.
pub(crate) const DOCUMENT: &str = "boot.json";
/// The most that is read of one: 64 MiB. A document of a thousand specialisations has some megabytes.
pub(crate) const LIMIT: u64 = 1 << 26;

/// The role of what is read here.
const ROLE: &str = "Bootspec document";

/// The document of this file, or of this toplevel, and the file that holds it.
///
/// # Errors
/// [`Error::Open`], [`Error::Text`] when it is larger than 64 MiB, [`Error::NoBootspec`].
pub(super) fn read(files: &dyn Files, path: &Path) -> Result<(PathBuf, Document), Error> {
    let file = file_of(files, path)?;
    let bytes = read_small(files, ROLE, &file, LIMIT)?;
    let document = Document::read(&bytes).map_err(|error| refused(&file, error.into()))?;
    Ok((file, document))
}

/// The same, with the extensions that have a specification.
///
/// # Errors
/// As [`read`].
pub(super) fn read_with_extensions(
    files: &dyn Files,
    path: &Path,
) -> Result<(PathBuf, Document), Error> {
    let (file, document) = read(files, path)?;
    check_extensions(&document).map_err(|error| refused(&file, error))?;
    Ok((file, document))
}

/// The file itself, or `boot.json` in a folder.
///
/// # Errors
/// [`Error::Open`] where nobody may look.
fn file_of(files: &dyn Files, path: &Path) -> Result<PathBuf, Error> {
    Ok(match is_folder(files, ROLE, path)? {
        true => path.join(DOCUMENT),
        false => path.to_owned(),
    })
}

pub(super) fn refused(file: &Path, source: NoBootspec) -> Error {
    Error::NoBootspec {
        file: file.to_owned(),
        source: Box::new(source),
    }
}

fn check_extensions(document: &Document) -> Result<(), NoBootspec> {
    check_secrets(None, &document.extensions)?;
    let of_v1 = document.v1.iter().flat_map(|one| &one.specialisations);
    for (name, one) in of_v1 {
        check_secrets(Some(name), &one.extensions)?;
    }
    let of_v2 = document.v2.iter().flat_map(|one| &one.specialisations);
    for (name, one) in of_v2 {
        check_secrets(Some(name), &one.extensions)?;
    }
    match document.extensions.get(touchstone::KEY) {
        None => Ok(()),
        Some(extension) => Touchstone::read(extension.to_value())
            .map(drop)
            .map_err(|source| NoBootspec::Touchstone { source }),
    }
}

fn check_secrets(specialisation: Option<&str>, extensions: &Extensions) -> Result<(), NoBootspec> {
    let Some(extension) = extensions.get(INITRD_SECRETS) else {
        return Ok(());
    };
    match InitrdSecrets::read(&initrd_secrets_place(specialisation), extension) {
        Ok(_) => Ok(()),
        Err(source) => Err(NoBootspec::InitrdSecrets {
            specialisation: specialisation.map(str::to_owned),
            source,
        }),
    }
}
