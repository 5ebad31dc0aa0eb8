//! Hashes of paths.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};

use crate::base32::{self, Base32Error};
use crate::path::shown;

/// The SHA-256 of a path's NAR: 32 bytes. Printed as `sha256-<base64>` (SRI), which is what `nix path-info --json` writes.
///
/// Read from the three forms that Nix writes: `sha256:<base 32>`, `sha256:<base 16>`, `sha256-<base 64>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NarHash([u8; 32]);

/// Why a text is no NAR hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarHashError {
    /// Another algorithm, or none named.
    #[error("`{}` is no SHA-256 hash: write sha256:<base 32>, sha256:<hexadecimal> or sha256-<base 64>", shown(.0))]
    Algorithm(String),
    /// `sha256:` is followed by neither 52 nor 64 characters.
    #[error("`{}` has neither 52 characters (base 32) nor 64 (hexadecimal) after `sha256:`", shown(.0))]
    Length(String),
    /// The base 32 form is wrong.
    #[error("the hash `{}` is wrong: {why}", shown(.text))]
    Base32 {
        /// The text.
        text: String,
        /// What is wrong with it.
        why: Base32Error,
    },
    /// The hexadecimal form is wrong.
    #[error("the hash `{}` is not hexadecimal", shown(.0))]
    Hexadecimal(String),
    /// The base 64 form is wrong, or not of 32 bytes.
    #[error("the hash `{}` is not the base 64 of 32 bytes", shown(.0))]
    Base64(String),
}

impl NarHash {
    /// A hash from its 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads any of the three forms.
    pub fn parse(text: &str) -> Result<Self, NarHashError> {
        if let Some(base64) = text.strip_prefix("sha256-") {
            return crate::text::base64_array(base64)
                .map(Self)
                .ok_or_else(|| NarHashError::Base64(text.to_owned()));
        }
        let digits = text
            .strip_prefix("sha256:")
            .ok_or_else(|| NarHashError::Algorithm(text.to_owned()))?;
        match digits.len() {
            52 => base32::decode(digits)
                .map(Self)
                .map_err(|why| NarHashError::Base32 {
                    text: text.to_owned(),
                    why,
                }),
            64 => from_hexadecimal(digits)
                .map(Self)
                .ok_or_else(|| NarHashError::Hexadecimal(text.to_owned())),
            _ => Err(NarHashError::Length(text.to_owned())),
        }
    }

    /// `sha256-<base 64>`.
    pub fn to_sri(&self) -> String {
        format!("sha256-{}", BASE64.encode(&self.0))
    }

    /// `sha256:<base 32>`: the form inside fingerprints.
    pub fn to_base32(&self) -> String {
        format!("sha256:{}", base32::encode(&self.0))
    }
}

fn from_hexadecimal(text: &str) -> Option<[u8; 32]> {
    HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

impl FromStr for NarHash {
    type Err = NarHashError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for NarHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_sri())
    }
}

impl fmt::Debug for NarHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "NarHash({self})")
    }
}

crate::text::json_string!(NarHash, "The SHA-256 of a path's NAR, as sha256-<base 64>");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SRI: &str = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    const HEX: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const NIX32: &str = "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s";

    #[test]
    fn reads_every_form_that_nix_writes() {
        let hash = NarHash::parse(SRI).unwrap();
        assert_eq!(NarHash::parse(HEX), Ok(hash));
        assert_eq!(NarHash::parse(NIX32), Ok(hash));
        assert_eq!(
            (hash.to_string().as_str(), hash.to_base32().as_str()),
            (SRI, NIX32)
        );
    }

    #[test]
    fn refuses_other_algorithms_and_cut_hashes() {
        assert!(matches!(
            NarHash::parse("sha1:abc"),
            Err(NarHashError::Algorithm(_))
        ));
        assert!(matches!(
            NarHash::parse("sha256:abc"),
            Err(NarHashError::Length(_))
        ));
        assert!(matches!(
            NarHash::parse(&SRI[..50]),
            Err(NarHashError::Base64(_))
        ));
        // Padding inside, as of two texts put together.
        let pieces = "sha256-AAA=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(matches!(
            NarHash::parse(pieces),
            Err(NarHashError::Base64(_))
        ));
        // The last character's spare bits: a second spelling.
        assert!(matches!(
            NarHash::parse(&SRI.replace("Fa0=", "Fa1=")),
            Err(NarHashError::Base64(_))
        ));
    }

    proptest! {
        #[test]
        fn reads_back_what_it_printed(bytes: [u8; 32]) {
            let hash = NarHash::new(bytes);
            prop_assert_eq!(NarHash::parse(&hash.to_sri()), Ok(hash));
            prop_assert_eq!(NarHash::parse(&hash.to_base32()), Ok(hash));
        }

        #[test]
        fn never_panics(text in "(sha256[:-])?\\PC{0,70}") {
            let _ = NarHash::parse(&text);
        }
    }
}
