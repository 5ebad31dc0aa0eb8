//! The request has to describe the inner generation as it is, and nothing that the inner generation says is lost.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use touchstone_bootspec::touchstone::{KEY, Specialisation, Touchstone};
use touchstone_bootspec::{Document, Extensions, SecretsProgram, V2};
use touchstone_store::StorePath;

use super::inner::{DOCUMENT, Inner, SPECIALISATIONS, as_v2, read_document, refused};
use super::{SealError, Sealing};
use crate::Error;
use crate::generation::BootArtifacts;

/// A specialisation that is sealed.
#[derive(Debug)]
pub(super) struct SealedSpecialisation {
    /// What the outer document says of its files.
    pub(super) described: Specialisation,
    /// Its document's extensions but our own.
    extensions: Extensions,
}

/// Reads the sealed specialisations, and sees that all who name specialisations mean the same ones.
///
/// # Errors
/// [`Error::Seal`], [`Error::Open`], [`Error::Text`].
pub(super) fn specialisations(
    request: &BootArtifacts,
    sealing: &Sealing,
    inner: &Inner,
) -> Result<BTreeMap<String, SealedSpecialisation>, Error> {
    let described = &request.bootspec.specialisations;
    same_names(
        (described, "the request's bootspec"),
        (&sealing.specialisations, "`seal.specialisations`"),
    )?;
    match &inner.specialisations {
        Some(links) => same_names(
            (described, "the request"),
            (links, "the inner generation's folder `specialisation`"),
        )?,
        None => same_names(
            (described, "the request"),
            (&NONE, "the inner generation, which has no such folder"),
        )?,
    }
    let sealed = described.iter().map(|(name, one)| {
        let link = inner.specialisations.iter().flatten();
        if let Some((_, target)) = link.into_iter().find(|(own, _)| *own == name) {
            same_toplevel(inner, name, target, &one.core)?;
        }
        // Both have the same names.
        let path = sealing.specialisations.get(name).into_iter();
        let sealed = path.map(|path| read_sealed(name, path, &one.core));
        sealed
            .map(|sealed| Ok((name.clone(), sealed?)))
            .collect::<Result<Vec<_>, Error>>()
    });
    let sealed: Vec<_> = sealed.collect::<Result<_, Error>>()?;
    Ok(sealed.into_iter().flatten().collect())
}

/// No specialisation.
const NONE: BTreeMap<String, ()> = BTreeMap::new();

fn same_names<A, B>(
    (one, of_one): (&BTreeMap<String, A>, &'static str),
    (other, of_other): (&BTreeMap<String, B>, &'static str),
) -> Result<(), Error> {
    let only_one = one.keys().find(|name| !other.contains_key(*name));
    let only_other = other.keys().find(|name| !one.contains_key(*name));
    let only = only_one.map(|name| (name, of_one, of_other));
    let Some((name, by, not_by)) = only.or(only_other.map(|name| (name, of_other, of_one))) else {
        return Ok(());
    };
    Err(Error::Seal {
        file: None,
        source: Box::new(SealError::Specialisation {
            name: name.clone(),
            by,
            not_by,
        }),
    })
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

fn read_sealed(name: &str, path: &StorePath, core: &V2) -> Result<SealedSpecialisation, Error> {
    let file = AsRef::<Path>::as_ref(path).join(DOCUMENT);
    let document = read_document(&file)?;
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
        described: described
            .as_specialisation(&folder)
            .map_err(|error| not_sealed(format!("cannot be named: {error}")))?,
        extensions,
    })
}

/// The request with the extensions of the inner generation and of the sealed specialisations, byte for byte.
///
/// # Errors
/// [`Error::Seal`] when one of them says something else than the request.
pub(super) fn with_all_extensions(
    request: &BootArtifacts,
    inner: &Inner,
    program: SecretsProgram,
    specialisations: &BTreeMap<String, SealedSpecialisation>,
) -> Result<BootArtifacts, Error> {
    let mut request = request.clone();
    if let Some(document) = &inner.document {
        let file = inner.path.join(DOCUMENT);
        described_as_it_is(&file, document, program, &request)?;
        let own = &mut request.bootspec.extensions;
        *own = merged(&file, "the inner generation", &document.extensions, own)?;
    }
    for (name, one) in &mut request.bootspec.specialisations {
        if let Some(sealed) = specialisations.get(name) {
            let of = format!("the sealed specialisation `{name}`");
            one.extensions = merged(Path::new(name), &of, &sealed.extensions, &one.extensions)?;
        }
    }
    Ok(request)
}

/// Sees that the inner generation's document says what the request says.
fn described_as_it_is(
    file: &Path,
    document: &Document,
    program: SecretsProgram,
    request: &BootArtifacts,
) -> Result<(), Error> {
    let generation = as_v2(file, document, program)?;
    let from_v1 = document.v2.is_none();
    let ours = &request.bootspec;
    same_core(
        file,
        || "the inner generation".to_owned(),
        (&generation.core, from_v1),
        &ours.core,
    )?;
    same_names(
        (&ours.specialisations, "the request"),
        (
            &generation.specialisations,
            "the inner generation's boot.json",
        ),
    )?;
    for (name, one) in &generation.specialisations {
        if let Some(ours) = ours.specialisations.get(name) {
            let of = || format!("the specialisation `{name}` of the inner generation");
            same_core(file, of, (&one.core, from_v1), &ours.core)?;
        }
    }
    Ok(())
}

/// Sees that two cores are the same. Where theirs was made `from_v1`, ours may have more: v1 knows one initrd and no device trees.
fn same_core(
    file: &Path,
    of: impl Fn() -> String,
    (theirs, from_v1): (&V2, bool),
    ours: &V2,
) -> Result<(), Error> {
    let members = |core: &V2| match serde_json::to_value(core) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(), // a struct of texts is an object
    };
    let (theirs, ours) = (members(theirs), members(ours));
    let agree = |field: &str| match (theirs.get(field), ours.get(field)) {
        (None, _) => from_v1,
        (Some(Value::Array(fewer)), Some(Value::Array(more))) if from_v1 && field == "initrds" => {
            more.starts_with(fewer)
        }
        (theirs, ours) => theirs == ours,
    };
    let mut fields = ours.keys().chain(theirs.keys());
    let Some(field) = fields.find(|field| !agree(field)) else {
        return Ok(());
    };
    let said =
        |by: &Map<String, Value>| by.get(field).map_or("none".to_owned(), ToString::to_string);
    let source = SealError::Other {
        of: of(),
        field: field.clone(),
        theirs: said(&theirs),
        ours: said(&ours),
    };
    Err(refused(file, source))
}

/// What is kept, as it is, and what the request has beyond it.
fn merged(
    file: &Path,
    of: &str,
    kept: &Extensions,
    requested: &Extensions,
) -> Result<Extensions, Error> {
    let mut all = kept.clone();
    for (name, extension) in requested.iter() {
        match all.get(name) {
            // The one that was kept has its bytes; the one of the request went through Nix.
            Some(kept) if kept.to_value() == extension.to_value() => {}
            Some(_) => {
                let source = SealError::OtherExtension {
                    of: of.to_owned(),
                    name: name.to_owned(),
                };
                return Err(refused(file, source));
            }
            None => {
                all.insert(name, extension.clone());
            }
        }
    }
    Ok(all)
}
