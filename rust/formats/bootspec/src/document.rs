//! Whole documents.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use touchstone_store::json::{self, JsonError};

use crate::agree;
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
    /// The v2 that stands beside it. Only a specialisation of v1 has one: nixpkgs puts a child's whole document into its parent's
    /// `org.nixos.specialisation.v1`, and that of a child that was upgraded holds both.
    pub beside: Option<V2>,
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
        let document = Self { v1, v2, extensions };
        agree::check(&document)?;
        Ok(document)
    }

    /// The document as a JSON value: v1, v2, extensions, each with its keys in the specification's order. A value holds numbers as
    /// 64-bit ones; what extensions say exactly is in [`Self::to_json`].
    pub fn to_value(&self) -> Value {
        // Everything stands under strings: there is nothing that cannot be written.
        serde_json::to_value(self).unwrap_or_default()
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
        if C::KEY == V1::KEY {
            // nixpkgs' installers read a specialisation as they read the generation, and stop where this key is missing.
            members.serialize_entry(V1::SPECIALISATIONS, &NoSpecialisations {})?;
        }
        if let Some(core) = &self.beside {
            members.serialize_entry(V2::KEY, core)?;
        }
        self.extensions.write(&mut members)?;
        members.end()
    }
}

/// An empty object.
#[derive(Serialize)]
struct NoSpecialisations {}

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
        refuse_nested(&at, key, &mut members)?;
    }
    let core = value(members.required(C::KEY)?)?;
    let core = C::read(&format!("{at}/{}", C::KEY), core)?;
    let beside = beside::<C>(&at, &mut members)?;
    let extensions = extensions(&at, members)?;
    let specialisation = Specialisation {
        core,
        beside,
        extensions,
    };
    Ok((name, specialisation))
}

/// Nested specialisations are those of a child, which nixpkgs puts into its parent with everything else; a child has none.
fn refuse_nested(at: &str, key: &'static str, members: &mut Members<'_>) -> Result<(), ReadError> {
    let Some(text) = members.optional(key)? else {
        return Ok(());
    };
    if Members::of(format!("{at}/{key}"), text)?.rest().is_empty() {
        return Ok(());
    }
    Err(ReadError::NestedSpecialisation { at: at.to_owned() })
}

/// The other version's core in a specialisation: v2 may stand beside v1, v1 not beside v2.
fn beside<C: Core>(at: &str, members: &mut Members<'_>) -> Result<Option<V2>, ReadError> {
    if C::KEY == V2::KEY {
        return match members.optional(V1::KEY)? {
            Some(_) => Err(ReadError::V1InsideV2 { at: at.to_owned() }),
            None => Ok(None),
        };
    }
    let Some(text) = members.optional(V2::KEY)? else {
        return Ok(None);
    };
    V2::read(&format!("{at}/{}", V2::KEY), value(text)?).map(Some)
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
