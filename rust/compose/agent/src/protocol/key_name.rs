//! The names of keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a key in the policy, as it stands behind `agent:`: 1 to 64 letters, digits, `-`, `_` and `.`, a letter or a digit first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

/// A text that names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no key has such a name: it has 1 to {MOST} letters, digits, `-`, `_` and `.`, and begins with a letter or a digit"
)]
pub struct NotAKeyName;

/// Characters of a name.
const MOST: usize = 64;

impl KeyName {
    /// The name.
    ///
    /// # Errors
    /// [`NotAKeyName`].
    pub fn parse(text: &str) -> Result<Self, NotAKeyName> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let begins = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        match begins && text.len() <= MOST && text.bytes().all(known) {
            true => Ok(Self(text.to_owned())),
            false => Err(NotAKeyName),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> String {
        name.0
    }
}

impl TryFrom<String> for KeyName {
    type Error = NotAKeyName;

    fn try_from(text: String) -> Result<Self, NotAKeyName> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["db", "fleet-2026", "a.b_c", "7", &"k".repeat(MOST)] {
            assert_eq!(KeyName::parse(name).unwrap().as_str(), name);
        }
        for name in [
            "",
            ".db",
            "-db",
            "d b",
            "d/b",
            "db?socket=x",
            "ü",
            &"k".repeat(MOST + 1),
        ] {
            assert_eq!(KeyName::parse(name), Err(NotAKeyName), "{name}");
        }
    }
}
