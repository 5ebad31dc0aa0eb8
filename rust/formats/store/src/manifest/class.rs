//! Machine classes, and what is signed of a manifest as a whole.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::path::shown;
use crate::{NarHash, Signature, StorePath};

/// Longest name of a machine class.
const CLASS_MAX: usize = 64;

/// The name of the machines that a manifest is for: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(String);

/// A text that names no machine class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no machine class: it has 1 to {CLASS_MAX} of A-Z a-z 0-9 . _ -", shown(.0))]
pub struct ClassError(String);

impl Class {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Class {
    type Err = ClassError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        match (1..=CLASS_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(ClassError(text.to_owned())),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

crate::text::json_string!(Class, "The name of a class of machines");

/// What a manifest of version 2 has beside its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The machines that it is for.
    pub class: Class,
    /// Signatures over [`whole_text`]; not yet verified.
    pub signatures: BTreeSet<Signature>,
}

/// The text that signatures over a whole manifest are made of:
/// `touchstone-manifest-2;<toplevel>;<class>;sha256:<digest in base 32>`. No fingerprint of a path begins so.
///
/// `digest` is the SHA-256 of the document as it would be with no signature on any entry, from its first byte to the line feed behind its last
/// entry. So the order in which entries and document are signed, by whom ever, does not matter.
pub fn whole_text(toplevel: &StorePath, class: &Class, digest: [u8; 32]) -> String {
    let digest = NarHash::new(digest).to_base32();
    format!("touchstone-manifest-2;{toplevel};{class};{digest}")
}
