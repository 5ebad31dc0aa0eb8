//! The specialisations: all who name them have to mean the same ones, and each is sealed itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use touchstone_bootspec::touchstone::{KEY, Specialisation, Touchstone};
use touchstone_bootspec::{Extensions, SecretsProgram, V2};
use touchstone_store::StorePath;

use super::agree::same_core;
use super::inner::{DOCUMENT, Inner, SPECIALISATIONS, as_v2, read_document, refused};
use super::{SealError, Sealing};
use crate::bootspec::DescribedSpecialisation;
use crate::generation::BootArtifacts;
use crate::{Error, Files};

/// A specialisation that is sealed.
#[derive(Debug)]
pub(super) struct SealedSpecialisation {
    /// Its document.
    pub(super) file: PathBuf,
    /// What the outer document says of its files.
    pub(super) described: Specialisation,
    /// Its document's extensions but our own.
    pub(super) extensions: Extensions,
}

/// Reads the sealed specialisations.
///
/// # Errors
/// [`Error::Seal`], [`Error::Open`], [`Error::Text`].
pub(super) fn sealed(
    files: &dyn Files,
    request: &BootArtifacts,
    sealing: &Sealing,
    inner: &Inner,
) -> Result<BTreeMap<String, SealedSpecialisation>, Error> {
    let described = &request.bootspec.specialisations;
    let none = BTreeMap::new();
    let links = match &inner.specialisations {
        Some(links) => (links, "the inner generation's folder `specialisation`"),
        None => (&none, "the inner generation, which has no such folder"),
    };
    for (name, one, target) in paired((described, "the request"), links)? {
        same_toplevel(inner, name, target, &one.core)?;
    }
    let (in_bootspec, in_seal) = ("the request's bootspec", "`seal.specialisations`");
    let pairs = paired(
        (described, in_bootspec),
        (&sealing.specialisations, in_seal),
    )?;
    let read = |(name, one, path): (&String, &DescribedSpecialisation, &StorePath)| {
        Ok((name.clone(), read_sealed(files, name, path, &one.core)?))
    };
    pairs.into_iter().map(read).collect()
}

/// What two have under the same names, when both have the same ones.
///
/// # Errors
/// [`Error::Seal`] with the first name that one of them lacks.
pub(super) fn paired<'a, A, B>(
    (one, of_one): (&'a BTreeMap<String, A>, &'static str),
    (other, of_other): (&'a BTreeMap<String, B>, &'static str),
) -> Result<Vec<(&'a String, &'a A, &'a B)>, Error> {
    let lacking = |name: &String, by, not_by| {
        let name = name.clone();
        let source = Box::new(SealError::Specialisation { name, by, not_by });
        Error::Seal { file: None, source }
    };
    if let Some(name) = other.keys().find(|name| !one.contains_key(*name)) {
        return Err(lacking(name, of_other, of_one));
    }
    let pair = |(name, a)| match other.get(name) {
        Some(b) => Ok((name, a, b)),
        None => Err(lacking(name, of_one, of_other)),
    };
    one.iter().map(pair).collect()
}

fn same_toplevel(inner: &Inner, name: &str, target: &Path, core: &V2) -> Result<(), Error> {
    if target == AsRef::<Path>::as_ref(&core.toplevel) {
        return Ok(());
    }
    let link = inner.path.join(SPECIALISATIONS).join(name);
    let source = SealError::Other {
        of: format!("the specialisation `{name}` of the inner generation"),
        field: "toplevel".to_owned(),
        theirs: target.display().to_string(),
        ours: core.toplevel.to_string(),
    };
    Err(refused(&link, source))
}

fn read_sealed(
    files: &dyn Files,
    name: &str,
    path: &StorePath,
    core: &V2,
) -> Result<SealedSpecialisation, Error> {
    let file = AsRef::<Path>::as_ref(path).join(DOCUMENT);
    let document = read_document(files, &file)?;
    let not_sealed = |says: String| {
        let expected = path.clone();
        refused(&file, SealError::NotSealed { expected, says })
    };
    let Some(extension) = document.extensions.get(KEY) else {
        return Err(not_sealed(format!("has no extension `{KEY}`")));
    };
    let described = Touchstone::read(extension.to_value())
        .map_err(|error| refused(&file, SealError::Extension(error)))?;
    match &described.sealed {
        Some(sealed) if sealed == path => {}
        Some(other) => return Err(not_sealed(format!("is that of {other}"))),
        None => return Err(not_sealed("names no sealed generation".to_owned())),
    }
    let generation = as_v2(&file, &document, SecretsProgram::Refused)?;
    if !generation.specialisations.is_empty() || !described.specialisations.is_empty() {
        return Err(refused(&file, SealError::Nested));
    }
    same_core(&file, || path.to_string(), (&generation.core, false), core)?;
    let folder = format!("{SPECIALISATIONS}/{name}");
    let mut extensions = document.extensions.clone();
    extensions.remove(KEY);
    Ok(SealedSpecialisation {
        file: file.clone(),
        described: described
            .as_specialisation(&folder)
            .map_err(|error| not_sealed(format!("cannot be named: {error}")))?,
        extensions,
    })
}
