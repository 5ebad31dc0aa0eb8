//! Boot phases: the words that systemd measures into PCR 11 while the machine starts.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A phase path: the words measured so far, joined by colons, as `systemd-measure --phase=` writes it.
///
/// The empty path is the moment before the first phase: what the stub left.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct PhasePath(Vec<String>);

/// A text that is no phase path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhaseError {
    /// Two colons stand next to one another, or a colon at an end.
    #[error(
        "the phase path `{0}` has an empty word: write words joined by single colons, such as `enter-initrd:leave-initrd`"
    )]
    EmptyWord(String),
}

impl PhasePath {
    /// The path before any phase: empty.
    pub const fn none() -> PhasePath {
        PhasePath(Vec::new())
    }

    /// The paths for which `systemd-measure calculate` gives values when none is asked for.
    pub fn standard() -> Vec<PhasePath> {
        let words = ["enter-initrd", "leave-initrd", "sysinit", "ready"];
        (1..=words.len())
            .map(|count| {
                PhasePath(
                    words
                        .iter()
                        .take(count)
                        .map(|word| (*word).to_owned())
                        .collect(),
                )
            })
            .collect()
    }

    /// The words in the order in which they are measured. Each is hashed as its bytes, without a NUL.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How this moment is called in a sentence.
    pub(crate) fn describe(&self) -> String {
        if self.0.is_empty() {
            "before the first phase".to_owned()
        } else {
            format!("phase {self}")
        }
    }
}

impl fmt::Display for PhasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(":"))
    }
}

impl FromStr for PhasePath {
    type Err = PhaseError;

    fn from_str(text: &str) -> Result<PhasePath, PhaseError> {
        if text.is_empty() {
            return Ok(PhasePath::none());
        }
        if text.split(':').any(str::is_empty) {
            return Err(PhaseError::EmptyWord(text.to_owned()));
        }
        Ok(PhasePath(text.split(':').map(str::to_owned).collect()))
    }
}

impl TryFrom<String> for PhasePath {
    type Error = PhaseError;

    fn try_from(text: String) -> Result<PhasePath, PhaseError> {
        text.parse()
    }
}

impl From<PhasePath> for String {
    fn from(path: PhasePath) -> String {
        path.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_the_same_phases_as_systemd_measure() {
        let standard: Vec<String> = PhasePath::standard()
            .iter()
            .map(PhasePath::to_string)
            .collect();
        assert_eq!(
            standard,
            [
                "enter-initrd",
                "enter-initrd:leave-initrd",
                "enter-initrd:leave-initrd:sysinit",
                "enter-initrd:leave-initrd:sysinit:ready"
            ]
        );
    }

    #[test]
    fn refuses_an_empty_word() {
        for text in [":", "a:", ":a", "a::b"] {
            assert!(text.parse::<PhasePath>().is_err(), "{text}");
        }
        assert_eq!("".parse::<PhasePath>().unwrap(), PhasePath::none());
    }
}
