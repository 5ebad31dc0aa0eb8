//! Parts of requests that may be written in two ways, or that share an object: read so that a refusal names the field and what was expected.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// A text, or an object of this type.
pub(crate) enum TextOr<T> {
    Text(String),
    Object(T),
}

/// Reads what is written as a text or as an object; `expected` says which.
///
/// # Errors
/// Those of the object, and that it is neither.
pub(crate) fn text_or<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    expected: &'static str,
) -> Result<TextOr<T>, D::Error> {
    deserializer.deserialize_any(TextOrVisitor {
        expected,
        object: PhantomData,
    })
}

struct TextOrVisitor<T> {
    expected: &'static str,
    object: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOrVisitor<T> {
    type Value = TextOr<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(TextOr::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(TextOr::Object)
    }
}

/// The fields of an object that two types share.
///
/// serde's `flatten` forgets where in the object an error is.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// All of them.
    ///
    /// # Errors
    /// When it is no object.
    pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        Map::deserialize(deserializer).map(Fields)
    }

    /// Takes a field out; a field that is missing has the default.
    ///
    /// # Errors
    /// With the way to what is wrong in it.
    pub(crate) fn take<T: DeserializeOwned + Default, E: Error>(
        &mut self,
        name: &str,
    ) -> Result<T, E> {
        match self.0.shift_remove(name) {
            Some(value) => read(name, value),
            None => Ok(T::default()),
        }
    }

    /// The other type, which has the fields that are left.
    ///
    /// # Errors
    /// Likewise.
    pub(crate) fn rest<T: DeserializeOwned, E: Error>(self) -> Result<T, E> {
        read("", Value::Object(self.0))
    }
}

fn read<T: DeserializeOwned, E: Error>(name: &str, value: Value) -> Result<T, E> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let way = match error.path().iter().next() {
            None => name.to_owned(),
            Some(_) => joined(name, &error.path().to_string()),
        };
        let fact = error.into_inner();
        E::custom(match way.as_str() {
            "" => fact.to_string(),
            way => format!("{way}: {fact}"),
        })
    })
}

fn joined(name: &str, way: &str) -> String {
    match name.is_empty() || way.starts_with('[') {
        true => format!("{name}{way}"),
        false => format!("{name}.{way}"),
    }
}
