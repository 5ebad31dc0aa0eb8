//! How a log is kept.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entry::ENTRY_LIMIT;

/// The smallest segment and the smallest reserve, in bytes.
pub const SMALLEST: u64 = 2 * ENTRY_LIMIT as u64;

/// The largest segment and the largest reserve, in bytes.
pub const LARGEST: u64 = 1 << 32;

/// How a log is kept: `log` of the policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The file of the key that signs checkpoints: `touchstone agent log keygen` makes one.
    pub checkpoint_key: PathBuf,
    /// Bytes of a segment; when it is full, the next one begins. The space is taken at once.
    #[serde(default = "segment_size")]
    pub segment_size: u64,
    /// Bytes that are taken beside each segment for refusals while the disk is full.
    #[serde(default = "reserve")]
    pub reserve: u64,
    /// A checkpoint is made after so many entries.
    #[serde(default = "checkpoint_entries")]
    pub checkpoint_entries: u64,
    /// A checkpoint is made so many seconds after an entry at the latest.
    #[serde(default = "checkpoint_seconds")]
    pub checkpoint_seconds: u64,
    /// Folders into which each checkpoint is written, as a file of its own: best on another machine, or collected from there.
    #[serde(default)]
    pub exports: Vec<PathBuf>,
}

const fn segment_size() -> u64 {
    16 << 20
}

const fn reserve() -> u64 {
    2 << 20
}

const fn checkpoint_entries() -> u64 {
    100
}

const fn checkpoint_seconds() -> u64 {
    60
}

impl Settings {
    /// The settings that need no word, with this key.
    #[must_use]
    pub fn new(checkpoint_key: PathBuf) -> Self {
        Self {
            checkpoint_key,
            segment_size: segment_size(),
            reserve: reserve(),
            checkpoint_entries: checkpoint_entries(),
            checkpoint_seconds: checkpoint_seconds(),
            exports: Vec::new(),
        }
    }

    /// What is wrong with them, if anything is: the field and the fact.
    ///
    /// # Errors
    /// The field's name in the policy file, and what it must be.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let size = format!("is between {SMALLEST} and {LARGEST} bytes");
        if !(SMALLEST..=LARGEST).contains(&self.segment_size) {
            return Err(("segmentSize", size));
        }
        if !(SMALLEST..=LARGEST).contains(&self.reserve) {
            return Err(("reserve", size));
        }
        if self.checkpoint_entries == 0 {
            return Err(("checkpointEntries", "is at least 1".to_owned()));
        }
        if !(1..=86_400).contains(&self.checkpoint_seconds) {
            return Err(("checkpointSeconds", "is between 1 and 86400".to_owned()));
        }
        let relative = self.exports.iter().find(|folder| !folder.is_absolute());
        if let Some(folder) = relative {
            let fact = format!("names absolute folders, and {} is none", folder.display());
            return Err(("exports", fact));
        }
        Ok(())
    }

    pub(super) const fn checkpoint_after(&self) -> Duration {
        Duration::from_secs(self.checkpoint_seconds)
    }
}
