//! The lines of the log.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::text::{Digest, Time};

/// The longest line that is written or read, in bytes, with its line feed.
pub const ENTRY_LIMIT: usize = 32 << 10;

/// The form of entries that this is.
pub const VERSION: u32 = 1;

/// The number of an entry: the first has 1, and none is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number.
    pub sequence: Sequence,
    /// When it was written, by the machine's clock.
    pub time: Time,
    /// SHA-256 of the line before it, with its line feed; zeros in the first.
    pub previous: Digest,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Entry {
    /// The line, with its line feed.
    ///
    /// # Errors
    /// Only when serde fails, which it does not for these types.
    pub fn line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a line, with or without its line feed. Fields that this version does not know are passed over; an event that it does not
    /// know is an error.
    ///
    /// # Errors
    /// When it is no entry.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }
}

/// What makes the chain: all that verification needs of an entry, whatever happened in it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Link {
    /// Its number.
    pub sequence: Sequence,
    /// When it was written.
    pub time: Time,
    /// SHA-256 of the line before it.
    pub previous: Digest,
    /// The name of what happened.
    pub event: String,
    /// The log's name, in the first entry of a segment.
    #[serde(default)]
    pub log: Option<String>,
    /// The segment's number, in the first entry of a later one.
    #[serde(default)]
    pub segment: Option<u64>,
    /// The form of entries, in the first entry of a segment.
    #[serde(default)]
    pub version: Option<u32>,
}

impl Link {
    /// Reads a line, with or without its line feed.
    ///
    /// # Errors
    /// When it is no entry.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// What an entry that begins a segment says of it: the name of the log and the segment's number.
    #[must_use]
    pub fn begins_segment(&self) -> Option<(&str, u64)> {
        let number = match self.event.as_str() {
            "created" => 1,
            "rotated" => self.segment?,
            _ => return None,
        };
        Some((self.log.as_deref()?, number))
    }
}
