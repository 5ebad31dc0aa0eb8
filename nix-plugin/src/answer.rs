//! An answer, taken apart for the C++ half, which makes Nix values of it.

use serde_json::{Number, Value};

use crate::request::shown;

/// A part of an answer: what JSON can say and Nix, too.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// A null.
    Null,
    /// A Boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A number that is no integer.
    Float(f64),
    /// A string without NUL.
    Text(String),
    /// A list.
    List(Vec<Answer>),
    /// A set: names without NUL, in the order of the answer.
    Set(Vec<(String, Answer)>),
}

/// A place without anything.
static NOTHING: Answer = Answer::Null;

impl Answer {
    /// The parts of the document.
    ///
    /// # Errors
    /// What in it no Nix value can be, as for fromJSON: a NUL in a string, an integer of more than 63 bits.
    pub fn of(document: Value) -> Result<Self, String> {
        match document {
            Value::Null => Ok(Self::Null),
            Value::Bool(value) => Ok(Self::Boolean(value)),
            Value::Number(number) => numeric(&number),
            Value::String(text) => Ok(Self::Text(without_nul(text)?)),
            Value::Array(items) => {
                let items = items.into_iter().map(Self::of);
                Ok(Self::List(items.collect::<Result<_, _>>()?))
            }
            Value::Object(fields) => {
                let attributes = fields
                    .into_iter()
                    .map(|(name, value)| Ok((without_nul(name)?, Self::of(value)?)));
                Ok(Self::Set(attributes.collect::<Result<_, String>>()?))
            }
        }
    }

    /// How many items or attributes there are.
    pub fn length(&self) -> usize {
        match self {
            Self::List(items) => items.len(),
            Self::Set(attributes) => attributes.len(),
            _ => 0,
        }
    }

    /// The item or attribute of that number.
    pub fn part(&self, index: usize) -> &Answer {
        let part = match self {
            Self::List(items) => items.get(index),
            Self::Set(attributes) => attributes.get(index).map(|(_, value)| value),
            _ => None,
        };
        part.unwrap_or(&NOTHING)
    }

    /// The name of the attribute of that number.
    pub fn name(&self, index: usize) -> &str {
        match self {
            Self::Set(attributes) => attributes.get(index).map_or("", |(name, _)| name),
            _ => "",
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// The integer, if it is one.
    pub fn integer(&self) -> i64 {
        match self {
            Self::Integer(value) => *value,
            _ => 0,
        }
    }

    /// The number, if it is none of the integers.
    pub fn float(&self) -> f64 {
        match self {
            Self::Float(value) => *value,
            _ => 0.0,
        }
    }

    /// Whether it is true.
    pub fn boolean(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }
}

fn numeric(number: &Number) -> Result<Answer, String> {
    if let Some(value) = number.as_i64() {
        return Ok(Answer::Integer(value));
    }
    match number.as_f64() {
        Some(value) if number.is_f64() => Ok(Answer::Float(value)),
        _ => Err(format!(
            "the answer holds the integer {number}, which is larger than Nix' integers"
        )),
    }
}

fn without_nul(text: String) -> Result<String, String> {
    if text.contains('\0') {
        return Err(format!(
            "the answer holds the string {}, and no Nix string can have U+0000",
            shown(&text)
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_part_is_found() {
        let answer =
            Answer::of(json!({ "b": [1, -0.0, null], "a": { "t": true, "s": "x" } })).unwrap();
        assert_eq!(
            (answer.length(), answer.name(0), answer.name(1)),
            (2, "b", "a")
        );
        let list = answer.part(0);
        assert_eq!((list.length(), list.part(0).integer()), (3, 1));
        assert!(list.part(1).float().is_sign_negative());
        assert_eq!(list.part(2), &Answer::Null);
        assert!(answer.part(1).part(0).boolean());
        assert_eq!(answer.part(1).part(1).text(), "x");
        assert_eq!((answer.part(2), answer.name(2)), (&Answer::Null, ""));
    }

    #[test]
    fn what_nix_cannot_say_is_refused() {
        for (document, fact) in [
            (json!([{ "a": "x\0y" }]), "\"x\\0y\""),
            (json!([{ "x\0y": 1 }]), "\"x\\0y\""),
            (json!([u64::MAX]), "18446744073709551615"),
            (json!([i64::MAX as u64 + 1]), "9223372036854775808"),
        ] {
            let refusal = Answer::of(document).unwrap_err();
            assert!(refusal.contains(fact), "{refusal}");
        }
        assert_eq!(Answer::of(json!(i64::MIN)), Ok(Answer::Integer(i64::MIN)));
    }
}
