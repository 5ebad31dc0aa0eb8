//! Whole documents.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use touchstone_store::json::{self, JsonError};

use crate::members::{Members, value};
use crate::{Core, Extension, Extensions, ReadError, V1, V2};

/// A `boot.json`: v1, v2 or both, and the extensions that both share.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What v1 says.
    pub v1: Option<Generation<V1>>,
    /// What v2 says.
    pub v2: Option<Generation<V2>>,
    /// Everything else at the top level.
    pub extensions: Extensions,
}

/// One version's view of a generation: itself and its specialisations by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation<C> {
    /// The core object.
    pub core: C,
    /// The specialisations.
    pub specialisations: BTreeMap<String, Specialisation<C>>,
}

/// A specialisation: a document of one version without specialisations.
#[derive(Debug, Clone, PartialEq)]
pub struct Specialisation<C> {
    /// The core object.
    pub core: C,
    /// Everything else.
    pub extensions: Extensions,
}

impl Document {
    /// Reads a document. Total: any bytes give a document or a named error.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        // Every rule of JSON first, and no key twice; then the same text again, as texts.
        json::parse(bytes)?;
        let text = serde_json::from_slice(bytes);
        let text = text.map_err(|error| JsonError::Syntax(error.to_string()))?;
        let mut members = Members::of("", text)?;
        let v1 = generation::<V1>(&mut members)?;
        let v2 = generation::<V2>(&mut members)?;
        if v1.is_none() && v2.is_none() {
            return Err(ReadError::NoCore);
        }
        let extensions = extensions("", members)?;
        Ok(Self { v1, v2, extensions })
    }

    /// The document as a JSON value: v1, v2, extensions, each with its keys in the specification's order. A value holds numbers as
    /// 64-bit ones; what extensions say exactly is in [`Self::to_json`].
    pub fn to_value(&self) -> Value {
        value_of(self)
    }

    /// The document as a file: indented, with a line break at the end; extensions that were read stand as they stood. The same document
    /// always gives the same bytes.
    pub fn to_json(&self) -> String {
        // No map has other keys than strings: there is nothing that cannot be written.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        text + "\n"
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        if let Some(generation) = &self.v1 {
            generation.write(&mut members)?;
        }
        if let Some(generation) = &self.v2 {
            generation.write(&mut members)?;
        }
        self.extensions.write(&mut members)?;
        members.end()
    }
}

impl<C: Core> Generation<C> {
    fn write<M: SerializeMap>(&self, members: &mut M) -> Result<(), M::Error> {
        members.serialize_entry(C::KEY, &self.core)?;
        members.serialize_entry(C::SPECIALISATIONS, &self.specialisations)
    }
}

impl<C: Core> Serialize for Specialisation<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry(C::KEY, &self.core)?;
        self.extensions.write(&mut members)?;
        members.end()
    }
}

/// A document as a value. Everything stands under strings: there is nothing that cannot be written.
fn value_of(document: &Document) -> Value {
    serde_json::to_value(document).unwrap_or_default()
}

/// Takes one version out of a document.
fn generation<C: Core>(members: &mut Members<'_>) -> Result<Option<Generation<C>>, ReadError> {
    let specialisations = members.optional(C::SPECIALISATIONS)?;
    let Some(core) = members.optional(C::KEY)? else {
        return match specialisations {
            Some(_) => Err(ReadError::SpecialisationsWithoutCore {
                specialisations: C::SPECIALISATIONS,
                core: C::KEY,
            }),
            None => Ok(None),
        };
    };
    let core = C::read(C::KEY, value(core)?)?;
    let specialisations = match specialisations {
        Some(text) => Members::of(C::SPECIALISATIONS, text)?.rest(),
        None => Vec::new(),
    };
    let specialisations = specialisations
        .into_iter()
        .map(specialisation::<C>)
        .collect::<Result<_, _>>()?;
    Ok(Some(Generation {
        core,
        specialisations,
    }))
}

fn specialisation<C: Core>(
    (name, text): (String, &RawValue),
) -> Result<(String, Specialisation<C>), ReadError> {
    if matches!(name.as_str(), "" | "." | "..") || name.chars().any(|c| c == '/' || c.is_control())
    {
        return Err(ReadError::SpecialisationName {
            at: C::SPECIALISATIONS.to_owned(),
            name,
        });
    }
    let at = format!("{}/{name}", C::SPECIALISATIONS);
    let mut members = Members::of(&at, text)?;
    for key in [V1::SPECIALISATIONS, V2::SPECIALISATIONS] {
        if members.optional(key)?.is_some() {
            return Err(ReadError::NestedSpecialisation { at });
        }
    }
    let core = value(members.required(C::KEY)?)?;
    let core = C::read(&format!("{at}/{}", C::KEY), core)?;
    let extensions = extensions(&at, members)?;
    Ok((name, Specialisation { core, extensions }))
}

fn extensions(at: &str, members: Members<'_>) -> Result<Extensions, ReadError> {
    let mut extensions = Extensions::new();
    for (name, text) in members.rest() {
        let Some(extension) = Extension::checked(text) else {
            let at = if at.is_empty() {
                name
            } else {
                format!("{at}/{name}")
            };
            return Err(ReadError::ExtensionNotAnObject { at });
        };
        extensions.push(name, extension);
    }
    Ok(extensions)
}
