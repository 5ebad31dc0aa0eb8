//! The inner generation, as it lies in the store.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use touchstone_bootspec::touchstone::KEY;
use touchstone_bootspec::{
    Additions, Document, Generation, ReadError, SecretsProgram, UpgradeError, V2, upgrade,
};

use super::SealError;
use super::wrap::ARTIFACTS;
pub(super) use crate::bootspec::DOCUMENT;
use crate::bootspec::LIMIT;
use crate::source::{entries, read_small};
use crate::{Error, Files};

/// The folder of the specialisations.
pub(super) const SPECIALISATIONS: &str = "specialisation";
/// The folder of programs.
pub(super) const PROGRAMS: &str = "bin";
/// The program that activates a generation and installs its boot loader.
pub(super) const SWITCH: &str = "switch-to-configuration";

/// What a toplevel has in its own folder `touchstone` before it is sealed: what the installer reads.
pub(super) const SETTINGS: &str = "install.json";

/// The inner generation.
#[derive(Debug)]
pub(super) struct Inner {
    /// Its toplevel.
    pub(super) path: PathBuf,
    /// Every entry that the wrapper links as it is, sorted.
    pub(super) entries: Vec<OsString>,
    /// What its folder `touchstone` has: [`SETTINGS`] or nothing.
    pub(super) settings: Vec<OsString>,
    /// The entries of `bin`, sorted; none where there is no such folder.
    pub(super) programs: Option<Vec<OsString>>,
    /// The specialisations with what their links lead to; none where there is no such folder.
    pub(super) specialisations: Option<BTreeMap<String, PathBuf>>,
    /// Its boot.json, where it has one.
    pub(super) document: Option<Document>,
}

impl Inner {
    /// Looks at a toplevel.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Text`], and [`Error::Seal`] when it is sealed already or its document is none.
    pub(super) fn read(files: &dyn Files, path: &Path) -> Result<Self, Error> {
        let mut entries = names(files, path)?;
        let mut take = |name: &str| {
            let at = entries.iter().position(|entry| entry == name)?;
            Some(path.join(entries.remove(at)))
        };
        let (document, programs, specialisations) =
            (take(DOCUMENT), take(PROGRAMS), take(SPECIALISATIONS));
        let settings = take(ARTIFACTS)
            .map(|folder| names(files, &folder))
            .transpose()?;
        let settings = settings.unwrap_or_default();
        if settings.iter().any(|name| name != SETTINGS) {
            return Err(refused(path, SealError::SealedAlready));
        }
        let document = document
            .map(|file| read_document(files, &file))
            .transpose()?;
        let describes = |document: &Document| document.extensions.contains(KEY);
        if document.as_ref().is_some_and(describes) {
            let file = path.join(DOCUMENT);
            return Err(refused(&file, SealError::DescribedAlready));
        }
        let specialisations = specialisations.map(|folder| links(files, &folder));
        Ok(Self {
            programs: programs.map(|folder| names(files, &folder)).transpose()?,
            specialisations: specialisations.transpose()?,
            path: path.to_owned(),
            entries,
            settings,
            document,
        })
    }

    /// Whether the generation can be switched to.
    pub(super) fn switches(&self) -> bool {
        let mut programs = self.programs.iter().flatten();
        programs.any(|name| name == SWITCH)
    }
}

/// Reads a document.
///
/// # Errors
/// [`Error::Open`], [`Error::Text`] when it is too large, [`Error::Seal`].
pub(super) fn read_document(files: &dyn Files, file: &Path) -> Result<Document, Error> {
    let bytes = read_small(files, "document of the generation", file, LIMIT)?;
    Document::read(&bytes).map_err(|error| refused(file, SealError::Document(error)))
}

/// What a document says in v2, or what it says in v1 in the words of v2.
///
/// # Errors
/// [`Error::Seal`].
pub(super) fn as_v2(
    file: &Path,
    document: &Document,
    program: SecretsProgram,
) -> Result<Generation<V2>, Error> {
    let upgraded = upgrade(document.clone(), Additions::default(), program);
    let upgraded = upgraded.map_err(|error| match error {
        UpgradeError::InitrdSecrets { specialisation } => SealError::InitrdSecrets {
            of: specialisation.map_or_else(
                || "the inner generation".to_owned(),
                |name| format!("the specialisation `{name}` of the inner generation"),
            ),
        },
        other => SealError::Upgrade(other),
    });
    let generation = upgraded.and_then(|document| {
        let nothing = SealError::Document(ReadError::NoCore);
        document.v2.ok_or(nothing)
    });
    generation.map_err(|source| refused(file, source))
}

/// The names in a folder, sorted.
fn names(files: &dyn Files, folder: &Path) -> Result<Vec<OsString>, Error> {
    let found = entries(files, folder).map_err(|source| unreadable(folder, source))?;
    Ok(found.into_iter().map(|entry| entry.name).collect())
}

/// The entries of a folder with what they lead to, through every link.
fn links(files: &dyn Files, folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let target = |name: OsString| {
        let link = folder.join(&name);
        let place = files.locate(&link).and_then(fs::canonicalize);
        let target = place.map_err(|source| unreadable(&link, source))?;
        Ok((name.to_string_lossy().into_owned(), target))
    };
    names(files, folder)?.into_iter().map(target).collect()
}

fn unreadable(file: &Path, source: io::Error) -> Error {
    Error::Open {
        role: "inner generation",
        file: file.to_owned(),
        source,
    }
}

/// A refusal that is about a file.
pub(super) fn refused(file: &Path, source: SealError) -> Error {
    Error::Seal {
        file: Some(file.to_owned()),
        source: Box::new(source),
    }
}
