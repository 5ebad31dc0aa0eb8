//! Documents in files.

use std::path::{Path, PathBuf};

use touchstone_bootspec::touchstone::{self, Touchstone};
use touchstone_bootspec::{Document, Extensions, INITRD_SECRETS, InitrdSecrets};

use super::{NoBootspec, initrd_secrets_place};
use crate::Error;
use crate::source::read_small;

/// What a document is called in the folder of a generation, or of boot artifacts.
pub(crate) const DOCUMENT: &str = "boot.json";
/// The most that is read of one: 64 MiB. A document of a thousand specialisations has some megabytes.
pub(crate) const LIMIT: u64 = 1 << 26;

/// The document of this file, or of this toplevel.
///
/// # Errors
/// [`Error::Open`], [`Error::Text`] when it is larger than 64 MiB, [`Error::NoBootspec`].
pub(super) fn read(path: &Path) -> Result<Document, Error> {
    let file = file_of(path);
    let bytes = read_small("Bootspec document", &file, LIMIT)?;
    Document::read(&bytes).map_err(|error| refused(&file, error.into()))
}

/// The same, with the extensions that have a specification.
///
/// # Errors
/// As [`read`].
pub(super) fn read_with_extensions(path: &Path) -> Result<Document, Error> {
    let document = read(path)?;
    check_extensions(&document).map_err(|error| refused(&file_of(path), error))?;
    Ok(document)
}

/// The file itself, or `boot.json` in a folder.
pub(super) fn file_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(DOCUMENT)
    } else {
        path.to_owned()
    }
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
