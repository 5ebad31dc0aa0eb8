//! Names of sections.

use std::fmt;
use std::str::FromStr;

/// The name of a section: one to eight bytes of UTF-8 without NUL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionName {
    bytes: [u8; 8],
    len: u8,
}

/// Why a text cannot be the name of a section.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SectionNameError {
    /// More than eight bytes: an image's section table has room for eight.
    #[error("the section name {0:?} is longer than 8 bytes: shorten it")]
    TooLong(String),
    /// Empty.
    #[error("a section name is empty: give it a name such as \".foo\"")]
    Empty,
    /// A NUL within the name: readers would see a shorter one.
    #[error("the section name {0:?} contains a NUL: remove it")]
    Nul(String),
}

impl SectionName {
    /// The name as text, without padding.
    pub fn as_str(&self) -> &str {
        // Both constructors check that the bytes are UTF-8.
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The eight bytes of the section table, padded with NULs.
    pub fn to_bytes(self) -> [u8; 8] {
        self.bytes
    }

    /// From the eight bytes of a section table: up to the first NUL. `None` if they are no UTF-8.
    pub(crate) fn from_table(table: [u8; 8]) -> Option<Self> {
        let text = table.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).ok()?;
        Some(Self::padded(text))
    }

    fn padded(text: &[u8]) -> Self {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
        let len = u8::try_from(text.len().min(8)).unwrap_or(8);
        Self { bytes, len }
    }
}

impl FromStr for SectionName {
    type Err = SectionNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(SectionNameError::Empty);
        }
        if text.contains('\0') {
            return Err(SectionNameError::Nul(text.to_owned()));
        }
        if text.len() > 8 {
            return Err(SectionNameError::TooLong(text.to_owned()));
        }
        Ok(Self::padded(text.as_bytes()))
    }
}

impl TryFrom<&str> for SectionName {
    type Error = SectionNameError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for SectionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for SectionName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), formatter)
    }
}
