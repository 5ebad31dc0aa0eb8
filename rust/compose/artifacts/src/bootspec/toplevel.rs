//! What a toplevel holds that has no document.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use touchstone_bootspec::{SynthesizeError, Toplevel};
use touchstone_store::{StoreFile, StorePath};

use super::NoBootspec;
use super::file::{DOCUMENT, refused};
use crate::Error;
use crate::source::read_small;

/// The role of everything that is read here.
const ROLE: &str = "toplevel";
/// The longest text in a toplevel: 64 KiB, many times a kernel's command line.
const TEXT_LIMIT: u64 = 1 << 16;

/// Looks at a toplevel and its specialisations.
///
/// # Errors
/// [`Error::Open`], [`Error::Text`], [`Error::NoBootspec`].
pub(super) fn read(path: &Path) -> Result<Toplevel, Error> {
    let folder = resolve(path)?;
    if exists(&folder.join(DOCUMENT)) {
        return Err(refused(path, NoBootspec::HasDocument));
    }
    let mut specialisations = BTreeMap::new();
    for (name, path) in specialisations_of(&folder)? {
        let child = resolve(&path)?;
        // Not looked into: a folder that leads to itself has no end.
        if !specialisations_of(&child)?.is_empty() {
            let nested = SynthesizeError::Nested { name };
            return Err(refused(&path, nested.into()));
        }
        specialisations.insert(name, alone(&child, BTreeMap::new())?);
    }
    alone(&folder, specialisations)
}

/// One toplevel; `folder` is where every link to it ends.
fn alone(folder: &Path, specialisations: BTreeMap<String, Toplevel>) -> Result<Toplevel, Error> {
    Ok(Toplevel {
        path: store_path(folder)?,
        system: text(folder, "system")?,
        nixos_version: text(folder, "nixos-version")?,
        kernel: link(folder, "kernel")?,
        kernel_version: kernel_version(folder)?,
        kernel_params: text(folder, "kernel-params")?,
        initrd: exists(&folder.join("initrd"))
            .then(|| link(folder, "initrd"))
            .transpose()?,
        appends_initrd_secrets: exists(&folder.join("append-initrd-secrets")),
        specialisations,
    })
}

/// The toplevels in the folder `specialisation`, by name; none where there is no such folder.
fn specialisations_of(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let folder = folder.join("specialisation");
    if exists(&folder) {
        entries(&folder)
    } else {
        Ok(BTreeMap::new())
    }
}

/// The release of the kernel, which names the folder of its modules.
fn kernel_version(folder: &Path) -> Result<String, Error> {
    let modules = folder.join("kernel-modules/lib/modules");
    let mut names = entries(&modules)?.into_keys();
    match (names.next(), names.next()) {
        (Some(name), None) => Ok(name),
        (first, _) => {
            let found = if first.is_some() {
                "more than one"
            } else {
                "no"
            };
            let fact = format!(
                "{} holds modules of {found} kernel: the label cannot say which one it is",
                modules.display()
            );
            Err(refused(folder, NoBootspec::Toplevel(fact)))
        }
    }
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let failed = |source| opened(folder, source);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        match entry.file_name().into_string() {
            Ok(name) => found.insert(name, entry.path()),
            Err(name) => {
                let fact = format!("the name {} is no text", name.display());
                return Err(refused(folder, NoBootspec::Toplevel(fact)));
            }
        };
    }
    Ok(found)
}

/// A text of the toplevel; scripts write it without a line break at the end, people with one.
fn text(folder: &Path, name: &str) -> Result<String, Error> {
    let file = folder.join(name);
    let bytes = read_small(ROLE, &file, TEXT_LIMIT)?;
    let text = String::from_utf8(bytes).map_err(|_| Error::Text {
        role: ROLE,
        file,
        fact: "it is not UTF-8".to_owned(),
    })?;
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

/// Where a link of the toplevel ends.
fn link(folder: &Path, name: &str) -> Result<StoreFile, Error> {
    let path = folder.join(name);
    let target = resolve(&path)?;
    StoreFile::parse(&target.to_string_lossy()).map_err(|error| {
        let fact = format!("{} ends outside of the store: {error}", path.display());
        refused(folder, NoBootspec::Toplevel(fact))
    })
}

fn store_path(folder: &Path) -> Result<StorePath, Error> {
    StorePath::parse(&folder.to_string_lossy()).map_err(|error| {
        let fact = format!("the toplevel is no store path: {error}");
        refused(folder, NoBootspec::Toplevel(fact))
    })
}

fn resolve(path: &Path) -> Result<PathBuf, Error> {
    fs::canonicalize(path).map_err(|source| opened(path, source))
}

/// Whether something has this name, be it a link that leads nowhere.
fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn opened(path: &Path, source: io::Error) -> Error {
    Error::Open {
        role: ROLE,
        file: path.to_owned(),
        source,
    }
}
