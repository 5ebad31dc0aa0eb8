//! The strict JSON reader of the documents: every key known, no key twice, no null, each value of its kind, each error with its place.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::path::shown;

/// Why a JSON text is not the document that it should be. `at` is the place inside the document, empty at the top.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// No JSON, a key twice in one object, or nested too deeply.
    #[error("this is no usable JSON: {0}")]
    Syntax(String),
    /// A needed key is missing.
    #[error("{}the key `{key}` is missing", place(.at))]
    Missing {
        /// The object's place.
        at: String,
        /// The key.
        key: String,
    },
    /// A key that the object does not have.
    #[error("{}the key `{}` is not known here: the object is closed", place(.at), shown(.key))]
    Unknown {
        /// The object's place.
        at: String,
        /// The key.
        key: String,
    },
    /// A null: an optional key is left out, never null.
    #[error("{}the key `{}` is null: leave it out instead", place(.at), shown(.key))]
    Null {
        /// The object's place.
        at: String,
        /// The key.
        key: String,
    },
    /// A value of another kind.
    #[error("{}the key `{}` should be {expected}", place(.at), shown(.key))]
    Kind {
        /// The object's place.
        at: String,
        /// The key.
        key: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The document or one of its members is no object.
    #[error("{}an object is needed here", place(.at))]
    NotAnObject {
        /// The place.
        at: String,
    },
    /// A value of the right kind that says something impossible.
    #[error("{}the key `{key}`: {why}", place(.at))]
    Value {
        /// The object's place.
        at: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

fn place(at: &str) -> String {
    if at.is_empty() {
        String::new()
    } else {
        format!("in {}: ", shown(at))
    }
}

/// Parses a whole JSON text. Order of keys is kept; a key that comes twice is refused, since readers disagree on which one counts.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(value)) => Ok(value),
        Err(error) => Err(JsonError::Syntax(shown(&error.to_string()))),
    }
}

/// An object that is being taken apart, key by key.
#[derive(Debug)]
pub struct Object {
    at: String,
    members: Map<String, Value>,
}

impl Object {
    /// Begins with a value that must be an object.
    pub fn new(at: impl Into<String>, value: Value) -> Result<Self, JsonError> {
        let at = at.into();
        match value {
            Value::Object(members) => Ok(Self { at, members }),
            _ => Err(JsonError::NotAnObject { at }),
        }
    }

    /// The object's place in the document.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// Takes an optional member; null is refused.
    pub fn optional(&mut self, key: &str) -> Result<Option<Value>, JsonError> {
        match self.members.shift_remove(key) {
            Some(Value::Null) => Err(JsonError::Null {
                at: self.at.clone(),
                key: key.to_owned(),
            }),
            other => Ok(other),
        }
    }

    /// Takes a needed member.
    pub fn required(&mut self, key: &str) -> Result<Value, JsonError> {
        let value = self.optional(key)?;
        value.ok_or_else(|| JsonError::Missing {
            at: self.at.clone(),
            key: key.to_owned(),
        })
    }

    /// Takes a needed string.
    pub fn string(&mut self, key: &str) -> Result<String, JsonError> {
        let value = self.required(key)?;
        self.as_string(key, value)
    }

    /// Takes an optional string.
    pub fn optional_string(&mut self, key: &str) -> Result<Option<String>, JsonError> {
        self.optional(key)?
            .map(|value| self.as_string(key, value))
            .transpose()
    }

    /// Takes a needed list of strings.
    pub fn strings(&mut self, key: &str) -> Result<Vec<String>, JsonError> {
        let Value::Array(values) = self.required(key)? else {
            return Err(self.kind(key, "a list of strings"));
        };
        let string = |value| match value {
            Value::String(text) => Ok(text),
            _ => Err(self.kind(key, "a list of strings")),
        };
        values.into_iter().map(string).collect()
    }

    /// Takes a needed whole number, 0 to 2⁶⁴ − 1.
    pub fn number(&mut self, key: &str) -> Result<u64, JsonError> {
        let value = self.required(key)?;
        value
            .as_u64()
            .ok_or_else(|| self.kind(key, "a whole number from 0 to 2^64-1"))
    }

    /// Takes a needed string and reads it as a checked type.
    pub fn parsed<T: std::str::FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
    ) -> Result<T, JsonError> {
        let text = self.string(key)?;
        self.parse_text(key, &text)
    }

    /// Takes an optional string and reads it as a checked type.
    pub fn optional_parsed<T: std::str::FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
    ) -> Result<Option<T>, JsonError> {
        self.optional_string(key)?
            .map(|text| self.parse_text(key, &text))
            .transpose()
    }

    /// Takes a needed list of strings and reads each as a checked type.
    pub fn all_parsed<T: std::str::FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
    ) -> Result<Vec<T>, JsonError> {
        let texts = self.strings(key)?;
        texts
            .iter()
            .map(|text| self.parse_text(key, text))
            .collect()
    }

    /// Ends an object that is closed: whatever was not taken is not known.
    pub fn close(self) -> Result<(), JsonError> {
        match self.members.into_iter().next() {
            Some((key, _)) => Err(JsonError::Unknown { at: self.at, key }),
            None => Ok(()),
        }
    }

    /// Ends an object that is open: what was not taken, in its order.
    pub fn rest(self) -> Map<String, Value> {
        self.members
    }

    /// An error about a member's content.
    pub fn value_error(&self, key: &str, why: impl fmt::Display) -> JsonError {
        JsonError::Value {
            at: self.at.clone(),
            key: key.to_owned(),
            why: why.to_string(),
        }
    }

    /// An error about a member's kind.
    pub fn kind(&self, key: &str, expected: &'static str) -> JsonError {
        JsonError::Kind {
            at: self.at.clone(),
            key: key.to_owned(),
            expected,
        }
    }

    fn as_string(&self, key: &str, value: Value) -> Result<String, JsonError> {
        match value {
            Value::String(text) => Ok(text),
            _ => Err(self.kind(key, "a string")),
        }
    }

    fn parse_text<T: std::str::FromStr<Err: fmt::Display>>(
        &self,
        key: &str,
        text: &str,
    ) -> Result<T, JsonError> {
        text.parse().map_err(|why| self.value_error(key, why))
    }
}

/// A JSON value whose objects have no key twice.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number out of range"))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((key, Strict(value))) = entries.next_entry::<String, Strict>()? {
            if members.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key `{key}` comes twice"
                )));
            }
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn object(text: &str) -> Object {
        Object::new("", parse(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn refuses_a_key_that_comes_twice_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":2,"a":3}}]"#] {
            assert!(
                parse(text.as_bytes())
                    .unwrap_err()
                    .to_string()
                    .contains("`a` comes twice")
            );
        }
    }

    #[test]
    fn refuses_what_is_no_single_json_value() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "{} {}", "nul", "{'a':1}", "[1,]", deep.as_str()] {
            assert!(matches!(parse(text.as_bytes()), Err(JsonError::Syntax(_))));
        }
        assert!(matches!(parse(b"\"\xff\""), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn names_the_place_and_the_key() {
        let mut inner = Object::new("a.b", serde_json::json!({ "x": null, "y": 1 })).unwrap();
        assert_eq!(
            inner.optional("x").unwrap_err().to_string(),
            "in a.b: the key `x` is null: leave it out instead"
        );
        assert_eq!(
            inner.string("z").unwrap_err().to_string(),
            "in a.b: the key `z` is missing"
        );
        assert_eq!(
            inner.close().unwrap_err().to_string(),
            "in a.b: the key `y` is not known here: the object is closed"
        );
    }

    #[test]
    fn keeps_the_order_of_what_was_not_taken() {
        let mut open = object(r#"{"z":1,"taken":"t","a":2,"m":3}"#);
        assert_eq!(open.string("taken").unwrap(), "t");
        assert_eq!(open.rest().keys().collect::<Vec<_>>(), ["z", "a", "m"]);
    }

    #[test]
    fn takes_whole_numbers_only() {
        for text in [
            r#"{"n":-1}"#,
            r#"{"n":1.5}"#,
            r#"{"n":"1"}"#,
            r#"{"n":18446744073709551616}"#,
        ] {
            assert!(
                matches!(object(text).number("n"), Err(JsonError::Kind { .. })),
                "{text}"
            );
        }
        assert_eq!(
            object(r#"{"n":18446744073709551615}"#).number("n"),
            Ok(u64::MAX)
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, text in "[\\[\\]{}:,\"a0-9.e+\\-nultrf ]{0,40}") {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
        }
    }
}
