//! The members of an object as their texts: what the extensions are cut out of.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use touchstone_store::json::JsonError;

/// An object that is being taken apart, each member still the text that it was. The text was checked as a whole before: no key comes
/// twice.
pub(crate) struct Members<'a> {
    at: String,
    members: Vec<(String, &'a RawValue)>,
}

impl<'a> Members<'a> {
    /// The members of a text that was checked; `at` is its place in the document.
    pub(crate) fn of(at: impl Into<String>, text: &'a RawValue) -> Result<Self, JsonError> {
        let at = at.into();
        if !text.get().starts_with('{') {
            return Err(JsonError::NotAnObject { at });
        }
        match serde_json::from_str(text.get()) {
            Ok(Ordered(members)) => Ok(Self { at, members }),
            Err(error) => Err(JsonError::Syntax(error.to_string())),
        }
    }

    /// Takes an optional member; null is refused.
    pub(crate) fn optional(&mut self, key: &str) -> Result<Option<&'a RawValue>, JsonError> {
        let Some(at) = self.members.iter().position(|(own, _)| own == key) else {
            return Ok(None);
        };
        match self.members.remove(at).1 {
            null if null.get() == "null" => Err(JsonError::Null {
                at: self.at.clone(),
                key: key.to_owned(),
            }),
            text => Ok(Some(text)),
        }
    }

    /// Takes a needed member.
    pub(crate) fn required(&mut self, key: &str) -> Result<&'a RawValue, JsonError> {
        let text = self.optional(key)?;
        text.ok_or_else(|| JsonError::Missing {
            at: self.at.clone(),
            key: key.to_owned(),
        })
    }

    /// Every member that was not taken, in its order.
    pub(crate) fn rest(self) -> Vec<(String, &'a RawValue)> {
        self.members
    }
}

/// The value of a text that was checked.
pub(crate) fn value(text: &RawValue) -> Result<Value, JsonError> {
    touchstone_store::json::parse(text.get().as_bytes())
}

/// Key and text of each member, in order.
struct Ordered<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Ordered<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OrderedVisitor).map(Self)
    }
}

struct OrderedVisitor;

impl<'de> Visitor<'de> for OrderedVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            members.push(entry);
        }
        Ok(members)
    }
}
