//! Whole documents.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use touchstone_store::json::{self, Object};

use crate::{Core, ReadError, V1, V2};

/// Extensions: name → object, in the document's order. What they hold is kept and not looked at.
pub type Extensions = Map<String, Value>;

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
        Self::from_value(json::parse(bytes)?)
    }

    /// Reads a document that was parsed elsewhere.
    pub fn from_value(value: Value) -> Result<Self, ReadError> {
        let mut object = Object::new("", value)?;
        let v1 = generation::<V1>(&mut object)?;
        let v2 = generation::<V2>(&mut object)?;
        if v1.is_none() && v2.is_none() {
            return Err(ReadError::NoCore);
        }
        let extensions = extensions("", object.rest())?;
        Ok(Self { v1, v2, extensions })
    }

    /// The document as a JSON value: v1, v2, extensions, each with its keys in the specification's order.
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        self.v1
            .iter()
            .for_each(|generation| generation.write(&mut members));
        self.v2
            .iter()
            .for_each(|generation| generation.write(&mut members));
        members.extend(self.extensions.clone());
        Value::Object(members)
    }

    /// The document as a file: indented, with a line break at the end. The same document always gives the same bytes.
    pub fn to_json(&self) -> String {
        // A value has no maps with other keys than strings and so can always be written.
        format!("{:#}\n", self.to_value())
    }
}

impl<C: Core> Generation<C> {
    fn write(&self, members: &mut Map<String, Value>) {
        let write = |(name, special): (&String, &Specialisation<C>)| {
            let mut members = Map::new();
            members.insert(C::KEY.to_owned(), value(&special.core));
            members.extend(special.extensions.clone());
            (name.clone(), Value::Object(members))
        };
        let specialisations = self.specialisations.iter().map(write).collect();
        members.insert(C::KEY.to_owned(), value(&self.core));
        members.insert(
            C::SPECIALISATIONS.to_owned(),
            Value::Object(specialisations),
        );
    }
}

/// A core object as a value. Strings under fixed keys: there is nothing that cannot be written.
fn value(core: &impl Serialize) -> Value {
    serde_json::to_value(core).unwrap_or_default()
}

/// Takes one version out of a document.
fn generation<C: Core>(object: &mut Object) -> Result<Option<Generation<C>>, ReadError> {
    let specialisations = object.optional(C::SPECIALISATIONS)?;
    let Some(core) = object.optional(C::KEY)? else {
        return match specialisations {
            Some(_) => Err(ReadError::SpecialisationsWithoutCore {
                specialisations: C::SPECIALISATIONS,
                core: C::KEY,
            }),
            None => Ok(None),
        };
    };
    let core = C::read(C::KEY, core)?;
    let specialisations = match specialisations {
        Some(value) => Object::new(C::SPECIALISATIONS, value)?.rest(),
        None => Map::new(),
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
    (name, value): (String, Value),
) -> Result<(String, Specialisation<C>), ReadError> {
    if matches!(name.as_str(), "" | "." | "..") || name.chars().any(|c| c == '/' || c.is_control())
    {
        return Err(ReadError::SpecialisationName {
            at: C::SPECIALISATIONS.to_owned(),
            name,
        });
    }
    let at = format!("{}/{name}", C::SPECIALISATIONS);
    let mut object = Object::new(&at, value)?;
    for key in [V1::SPECIALISATIONS, V2::SPECIALISATIONS] {
        if object.optional(key)?.is_some() {
            return Err(ReadError::NestedSpecialisation { at });
        }
    }
    let core = C::read(&format!("{at}/{}", C::KEY), object.required(C::KEY)?)?;
    let extensions = extensions(&at, object.rest())?;
    Ok((name, Specialisation { core, extensions }))
}

fn extensions(at: &str, members: Map<String, Value>) -> Result<Extensions, ReadError> {
    match members.iter().find(|(_, value)| !value.is_object()) {
        Some((key, _)) if at.is_empty() => Err(ReadError::ExtensionNotAnObject { at: key.clone() }),
        Some((key, _)) => Err(ReadError::ExtensionNotAnObject {
            at: format!("{at}/{key}"),
        }),
        None => Ok(members),
    }
}
