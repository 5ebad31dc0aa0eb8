//! Extensions: every object of a document that is not Bootspec's own, kept to the byte.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use touchstone_store::json::{self, JsonError};

/// One extension: a JSON object.
///
/// One that was read is kept as its text: numbers, escapes, white space and the order of keys come out as they went in. One that was
/// made from values is printed with the document, indented as its surroundings.
#[derive(Debug, Clone)]
pub struct Extension(Content);

#[derive(Debug, Clone)]
enum Content {
    /// The text of an object, as it was read. Checked: an object, no key twice, not nested too deeply.
    Read(Box<RawValue>),
    /// An object that was made here.
    Made(Map<String, Value>),
}

impl Extension {
    /// Keeps the text of an object.
    ///
    /// # Errors
    /// [`JsonError`] when the text is no JSON, has a key twice in one object, or is no object. White space around the object is no
    /// part of it and is left off.
    pub fn read(text: &str) -> Result<Self, JsonError> {
        match json::parse(text.as_bytes())? {
            Value::Object(_) => {}
            _ => return Err(JsonError::NotAnObject { at: String::new() }),
        }
        let raw = serde_json::from_str(text);
        raw.map(|raw| Self(Content::Read(raw)))
            .map_err(|error| JsonError::Syntax(error.to_string()))
    }

    /// Takes the text of a value that was checked with the whole document; none where the value is no object.
    pub(crate) fn checked(text: &RawValue) -> Option<Self> {
        text.get()
            .starts_with('{')
            .then(|| Self(Content::Read(text.to_owned())))
    }

    /// An extension of given members, in their order.
    pub fn of(members: Map<String, Value>) -> Self {
        Self(Content::Made(members))
    }

    /// The text: as it was read, or, of an extension that was made here, indented by two spaces.
    pub fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            Content::Read(text) => Cow::Borrowed(text.get()),
            Content::Made(members) => Cow::Owned(format!("{:#}", Value::Object(members.clone()))),
        }
    }

    /// The object as a value, for readers of what it says. A value holds numbers as 64-bit ones; [`Self::text`] is exact.
    pub fn to_value(&self) -> Value {
        match &self.0 {
            // Parsed once before by the same rules.
            Content::Read(text) => json::parse(text.get().as_bytes()).unwrap_or_default(),
            Content::Made(members) => Value::Object(members.clone()),
        }
    }
}

/// The same text.
impl PartialEq for Extension {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Serialize for Extension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Content::Read(text) => text.serialize(serializer),
            Content::Made(members) => members.serialize(serializer),
        }
    }
}

/// Extensions by name, in the document's order. What they hold is kept and not looked at.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extensions(Vec<(String, Extension)>);

impl Extensions {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// The extension of this name.
    pub fn get(&self, name: &str) -> Option<&Extension> {
        self.iter()
            .find(|(own, _)| *own == name)
            .map(|(_, one)| one)
    }

    /// Whether there is an extension of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Puts an extension at the end, or in the place of the one that has its name, which is given back.
    pub fn insert(&mut self, name: impl Into<String>, extension: Extension) -> Option<Extension> {
        let name = name.into();
        match self.0.iter_mut().find(|(own, _)| *own == name) {
            Some((_, place)) => Some(std::mem::replace(place, extension)),
            None => {
                self.0.push((name, extension));
                None
            }
        }
    }

    /// Takes an extension out.
    pub fn remove(&mut self, name: &str) -> Option<Extension> {
        let at = self.0.iter().position(|(own, _)| own == name)?;
        Some(self.0.remove(at).1)
    }

    /// Every extension with its name, in the document's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Extension)> {
        self.0.iter().map(|(name, one)| (name.as_str(), one))
    }

    /// Every name, in the document's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts one at the end whose name is known to be no other's.
    pub(crate) fn push(&mut self, name: String, extension: Extension) {
        self.0.push((name, extension));
    }

    /// Writes each as a member of the object that holds them.
    pub(crate) fn write<M: SerializeMap>(&self, members: &mut M) -> Result<(), M::Error> {
        self.iter()
            .try_for_each(|(name, one)| members.serialize_entry(name, one))
    }
}

impl Extend<(String, Extension)> for Extensions {
    fn extend<T: IntoIterator<Item = (String, Extension)>>(&mut self, more: T) {
        for (name, extension) in more {
            self.insert(name, extension);
        }
    }
}

impl FromIterator<(String, Extension)> for Extensions {
    fn from_iter<T: IntoIterator<Item = (String, Extension)>>(all: T) -> Self {
        let mut made = Self::new();
        made.extend(all);
        made
    }
}

impl IntoIterator for Extensions {
    type Item = (String, Extension);
    type IntoIter = std::vec::IntoIter<(String, Extension)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Extensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(Some(self.0.len()))?;
        self.write(&mut members)?;
        members.end()
    }
}

/// From the values of a request: name → object.
impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Map::<String, Value>::deserialize(deserializer)?;
        let extension = |(name, value)| match value {
            Value::Object(members) => Ok((name, Extension::of(members))),
            _ => Err(D::Error::custom(format_args!(
                "the extension `{name}` is no object"
            ))),
        };
        // A map has no name twice.
        let all = members.into_iter().map(extension);
        all.collect::<Result<_, _>>().map(Self)
    }
}

impl JsonSchema for Extensions {
    fn schema_name() -> Cow<'static, str> {
        "Extensions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": { "type": "object" } })
    }
}
