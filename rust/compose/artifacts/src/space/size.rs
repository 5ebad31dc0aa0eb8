//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

/// A number of bytes; in requests a number, or a text such as `512M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(into = "u64")]
#[schemars(with = "Written")]
pub struct Size(u64);

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "the schema's view of a size")]
enum Written {
    /// Bytes.
    Bytes(u64),
    /// A whole number and `K`, `M`, `G` or `T`: powers of 1024.
    Text(String),
}

/// A text that is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// No number, or a unit that is not known.
    #[error(
        "{0:?} is no size: write bytes as a whole number, or K, M, G or T behind it, such as 512M"
    )]
    Form(String),
    /// More than 2⁶⁴ bytes.
    #[error("{0:?} is more than 2⁶⁴ bytes")]
    TooLarge(String),
}

impl Size {
    /// The number of bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl From<u64> for Size {
    fn from(bytes: u64) -> Self {
        Self(bytes)
    }
}

impl From<Size> for u64 {
    fn from(size: Size) -> Self {
        size.0
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let form = || SizeError::Form(text.to_owned());
        let digits = text.trim_end_matches(['K', 'M', 'G', 'T']);
        let shift = match text.get(digits.len()..) {
            Some("") => 0,
            Some("K") => 10,
            Some("M") => 20,
            Some("G") => 30,
            Some("T") => 40,
            _ => return Err(form()),
        };
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(form());
        }
        let number: Option<u64> = digits.parse().ok();
        let bytes = number.and_then(|number| number.checked_mul(1 << shift));
        bytes
            .map(Size)
            .ok_or_else(|| SizeError::TooLarge(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = Size;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number of bytes, or a text such as \"512M\"")
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<Size, E> {
        Ok(Size(bytes))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_or_have_a_unit_and_nothing_else() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("4K", 4096),
            ("512M", 512 << 20),
            ("2G", 2 << 30),
            ("1T", 1 << 40),
        ] {
            assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes);
        }
        for text in [
            "",
            "M",
            "1.5G",
            "-1",
            "512 M",
            "512MB",
            "1MM",
            "1m",
            "+1",
            "99999999999999999999",
            "99999999999T",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
