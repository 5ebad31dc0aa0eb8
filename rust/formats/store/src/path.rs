//! Store paths.

use std::fmt;
use std::str::FromStr;

use crate::base32;

/// Where every store path lies. Other store directories exist but no NixOS uses one: its hashes would all differ.
pub const STORE_DIR: &str = "/nix/store";
/// Characters of the hash part: 160 bits in base 32.
const HASH_LEN: usize = 32;
/// Longest name that Nix allows: 211 characters, so that `.lock` and friends still fit beside it.
const NAME_MAX: usize = 211;

/// A store path: `/nix/store/<32 characters of base 32>-<name>`, nothing below it. Ordered by its text, as Nix orders references.
///
/// Source: Nix manual, "Store Path"; name rules as Nix 2.26 `checkName`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath {
    text: String,
}

/// Why a text is no store path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorePathError {
    /// It does not begin with `/nix/store/`.
    #[error("`{}` does not lie in /nix/store: name the store path itself, not a link to it", shown(.0))]
    OutsideTheStore(String),
    /// It names something below a store path, or ends with `/`.
    #[error("`{}` goes on below a store path where the store path itself is needed", shown(.0))]
    BelowAStorePath(String),
    /// The part before the first `-` is no hash.
    #[error("`{}` has no hash: 32 characters of Nix's base 32 and a `-` come before the name", shown(.0))]
    Hash(String),
    /// The name is empty, too long, or has a character or a beginning that Nix does not allow.
    #[error("`{}` has a name that Nix does not allow: 1 to 211 of A-Z a-z 0-9 + - . _ ? =, and not `.`, `..` or these with a `-` after them", shown(.0))]
    Name(String),
}

impl StorePath {
    /// Checks a text. Total: any text gives a path or a named error.
    pub fn parse(text: &str) -> Result<Self, StorePathError> {
        let base = text
            .strip_prefix(STORE_DIR)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| StorePathError::OutsideTheStore(text.to_owned()))?;
        if base.contains('/') {
            return Err(StorePathError::BelowAStorePath(text.to_owned()));
        }
        let (hash, name) =
            split_base_name(base).ok_or_else(|| StorePathError::Hash(text.to_owned()))?;
        if !is_hash(hash) {
            return Err(StorePathError::Hash(text.to_owned()));
        }
        if !is_name(name) {
            return Err(StorePathError::Name(text.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
        })
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `<hash>-<name>`, without the store directory.
    pub fn base_name(&self) -> &str {
        self.text.get(STORE_DIR.len() + 1..).unwrap_or_default()
    }

    /// The 32 characters of the hash part.
    pub fn hash_part(&self) -> &str {
        self.base_name().get(..HASH_LEN).unwrap_or_default()
    }

    /// The name after the hash and its `-`.
    pub fn name(&self) -> &str {
        self.base_name().get(HASH_LEN + 1..).unwrap_or_default()
    }
}

fn split_base_name(base: &str) -> Option<(&str, &str)> {
    let (hash, rest) = base.split_at_checked(HASH_LEN)?;
    Some((hash, rest.strip_prefix('-')?))
}

fn is_hash(hash: &str) -> bool {
    hash.chars().all(base32::is_digit)
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._?=".contains(&byte);
    let dots = [".", ".."].contains(&name) || name.starts_with(".-") || name.starts_with("..-");
    (1..=NAME_MAX).contains(&name.len()) && !dots && name.bytes().all(allowed)
}

/// Text from a document as an error shows it: on one line and not longer than a screen can hold.
pub(crate) fn shown(text: &str) -> String {
    const LIMIT: usize = 300;
    let mut shown: String = text
        .chars()
        .take(LIMIT)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(LIMIT).is_some() {
        shown.push('…');
    }
    shown
}

impl FromStr for StorePath {
    type Err = StorePathError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl AsRef<std::path::Path> for StorePath {
    fn as_ref(&self) -> &std::path::Path {
        self.text.as_ref()
    }
}

crate::text::json_string!(
    StorePath,
    "A store path: /nix/store/<hash>-<name>, nothing below it"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HASH: &str = "00bgd045z0d4icpbc2yyz4gx48ak44la";

    #[test]
    fn takes_a_store_path_apart() {
        let path =
            StorePath::parse("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60_p2017")
                .unwrap();
        assert_eq!(
            (path.hash_part(), path.name()),
            (HASH, "net-tools-1.60_p2017")
        );
        assert_eq!(path.to_string(), path.as_str());
    }

    #[test]
    fn refuses_what_is_no_store_path_with_the_reason() {
        let refused = |text: String| StorePath::parse(&text).unwrap_err();
        let below = refused(format!("/nix/store/{HASH}-a/b"));
        assert!(matches!(below, StorePathError::BelowAStorePath(_)));
        assert!(matches!(
            refused(format!("/nix/store/{HASH}-a/")),
            StorePathError::BelowAStorePath(_)
        ));
        assert!(matches!(
            refused(format!("/nix/store/../store/{HASH}-a")),
            StorePathError::BelowAStorePath(_)
        ));
        for outside in [
            "",
            "a",
            "/nix/store",
            "/nix/storex/a",
            "nix/store/a",
            "/gnu/store/a",
        ] {
            assert!(
                matches!(
                    refused(outside.to_owned()),
                    StorePathError::OutsideTheStore(_)
                ),
                "{outside}"
            );
        }
        for hash in [
            "",
            "-",
            &HASH[1..],
            HASH,
            &format!("e{}-a", &HASH[1..]),
            &format!("{}-a", HASH.to_uppercase()),
        ] {
            assert!(
                matches!(
                    refused(format!("/nix/store/{hash}")),
                    StorePathError::Hash(_)
                ),
                "{hash}"
            );
        }
        for name in [
            "",
            ".",
            "..",
            ".-a",
            "..-a",
            "a b",
            "ä",
            "a\0",
            "a\n",
            &"a".repeat(212),
        ] {
            assert!(
                matches!(
                    refused(format!("/nix/store/{HASH}-{name}")),
                    StorePathError::Name(_)
                ),
                "{name:?}"
            );
        }
    }

    #[test]
    fn allows_what_nix_allows_in_names() {
        for name in [".a", "..a", "a?b=c+d_e-f.g", "A", &"a".repeat(211)] {
            assert!(
                StorePath::parse(&format!("/nix/store/{HASH}-{name}")).is_ok(),
                "{name}"
            );
        }
    }

    #[test]
    fn keeps_an_error_on_one_short_line() {
        let message = StorePath::parse(&"\n\u{1b}[2J".repeat(10_000))
            .unwrap_err()
            .to_string();
        assert!(message.len() < 4_000 && !message.contains(['\n', '\u{1b}']));
    }

    proptest! {
        #[test]
        fn never_panics_and_prints_what_it_read(text in "(/nix/store/)?[0-9a-z]{30,33}-?\\PC{0,12}") {
            if let Ok(path) = StorePath::parse(&text) {
                prop_assert_eq!(path.as_str(), text);
            }
        }
    }
}
