//! Patterns of names and words: `*` stands for any characters, everything else for itself.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Longest pattern in bytes.
const LIMIT: usize = 256;
/// Fewest characters that stand for themselves in a pattern with a `*`: fewer match what nobody thought of.
const FIXED_MIN: usize = 4;

/// A pattern: `*` stands for any characters (none as well), everything else for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// A text that is no pattern, or too loose a one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Empty, too long, or with other characters than printable ASCII.
    #[error("the pattern {0:?} has to be 1 to {LIMIT} printable ASCII characters without a space")]
    Text(String),
    /// It would match nearly everything.
    #[error(
        "the pattern `{0}` has fewer than {FIXED_MIN} characters that stand for themselves: it would match what nobody meant; write more of the name"
    )]
    Loose(String),
    /// Its beginning is open.
    #[error(
        "the pattern `{0}` begins with `*`: write how the name begins, for what stands in front of it is chosen by whoever asks"
    )]
    Open(String),
}

impl Pattern {
    /// Whether a text matches. Takes time in proportion to the product of both lengths at most.
    pub fn matches(&self, text: &str) -> bool {
        let Some((start, rest)) = self.0.split_once('*') else {
            return self.0 == text;
        };
        let Some(mut text) = text.strip_prefix(start) else {
            return false;
        };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        let Some(inner) = text.strip_suffix(end) else {
            return false;
        };
        text = inner;
        // The first place for each part leaves the most room for the others.
        for part in middle.split('*') {
            match text.split_once(part) {
                Some((_, behind)) => text = behind,
                None => return false,
            }
        }
        true
    }

    /// What stands before the first `*`: all of it where there is none.
    pub fn start(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// Whether it stands for one text alone.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }
}

impl FromStr for Pattern {
    type Err = PatternError;
    fn from_str(text: &str) -> Result<Self, PatternError> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable || !(1..=LIMIT).contains(&text.len()) {
            let shown = text.chars().take(LIMIT).collect();
            return Err(PatternError::Text(shown));
        }
        if text.starts_with('*') {
            return Err(PatternError::Open(text.to_owned()));
        }
        let fixed = text.bytes().filter(|byte| *byte != b'*').count();
        if text.contains('*') && fixed < FIXED_MIN {
            return Err(PatternError::Loose(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A text in which `*` stands for any characters: it does not begin with one, and has four other characters at least"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (text, matching, other) in [
            (
                "web1-boot",
                vec!["web1-boot"],
                vec!["web1-boot2", "xweb1-boot", ""],
            ),
            (
                "web-*",
                vec!["web-", "web-1", "web-1-2"],
                vec!["web", "xweb-1", "Web-1"],
            ),
            (
                "web-*-boot",
                vec!["web--boot", "web-1-boot", "web-a-boot-boot"],
                vec!["web-boot", "web-1-boot2"],
            ),
            (
                "web*a*b*c",
                vec!["webabc", "web-a-b-c", "webaabbcc"],
                vec!["webacb", "webab", "web"],
            ),
            ("abcd**e", vec!["abcde", "abcdxe"], vec!["abcd"]),
        ] {
            for name in matching {
                assert!(pattern(text).matches(name), "{text} {name}");
            }
            for name in other {
                assert!(!pattern(text).matches(name), "{text} {name}");
            }
        }
    }

    #[test]
    fn refuses_what_matches_nearly_everything() {
        for text in ["*", "**", "*a", "*-boot", "a*", "ab*c", "abc*", "***a***bc"] {
            let refused = text.parse::<Pattern>().unwrap_err();
            assert!(
                matches!(refused, PatternError::Loose(_) | PatternError::Open(_)),
                "{text}: {refused}"
            );
        }
        for text in ["", "a b", "ä", "a\n", &"a".repeat(257)] {
            assert!(
                matches!(text.parse::<Pattern>(), Err(PatternError::Text(_))),
                "{text:?}"
            );
        }
        assert!("a".parse::<Pattern>().is_ok());
    }

    proptest! {
        /// Against the definition: what stands for itself, in order, with anything between.
        #[test]
        fn matches_as_it_is_defined(text in "[ab]{4}[ab*]{0,8}", name in "[ab]{0,14}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|at| slow(rest, &text[at..])),
                    Some((first, rest)) => text.split_first().is_some_and(|(head, tail)| head == first && slow(rest, tail)),
                }
            }
            prop_assert_eq!(pattern(&text).matches(&name), slow(text.as_bytes(), name.as_bytes()));
        }
    }
}
