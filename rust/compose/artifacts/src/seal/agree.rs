//! The request has to describe the inner generation as it is, and nothing that the inner generation says is lost.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use touchstone_bootspec::{Document, Extensions, SecretsProgram, V2};

use super::SealError;
use super::inner::{DOCUMENT, Inner, as_v2, refused};
use super::specialisations::{SealedSpecialisation, paired};
use crate::Error;
use crate::generation::BootArtifacts;

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
            one.extensions = merged(&sealed.file, &of, &sealed.extensions, &one.extensions)?;
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
    let theirs = (
        &generation.specialisations,
        "the inner generation's boot.json",
    );
    for (name, ours, one) in paired((&ours.specialisations, "the request"), theirs)? {
        let of = || format!("the specialisation `{name}` of the inner generation");
        same_core(file, of, (&one.core, from_v1), &ours.core)?;
    }
    Ok(())
}

/// Sees that two cores are the same. Where theirs was made `from_v1`, ours may have more: v1 knows one initrd and no device trees.
///
/// # Errors
/// [`Error::Seal`] with the first field that differs.
pub(super) fn same_core(
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
