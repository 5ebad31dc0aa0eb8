//! What verification finds.

use std::path::PathBuf;

use serde::Serialize;

use super::entry::Sequence;

/// What is wrong with a log, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What is wrong.
    #[serde(flatten)]
    pub fault: Fault,
    /// The segment or the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The line of the segment, the first is 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where that line begins, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(
    tag = "fault",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[non_exhaustive]
pub enum Fault {
    /// There is no segment.
    #[error("there is no segment: this is no log, or all of it is gone")]
    Empty,
    /// Segments are missing between two others.
    #[error("segments {first} to {last} are missing")]
    MissingSegments {
        /// The first that is missing.
        first: u64,
        /// The last that is missing.
        last: u64,
    },
    /// The first segments are not there, and nothing says what they ended with.
    #[error("the log begins with entry {first}, and no checkpoint says what entry {} was", first.0.saturating_sub(1))]
    NoBeginning {
        /// The first entry that is there.
        first: Sequence,
    },
    /// A segment does not begin as one of this log and this number.
    #[error("the segment is not a part of this log: {fact}")]
    ForeignSegment {
        /// How that is seen.
        fact: String,
    },
    /// A line is no entry.
    #[error(
        "the line where entry {expected} belongs is no entry: it was changed, or something else was put there"
    )]
    NoEntry {
        /// The entry that belongs there.
        expected: Sequence,
    },
    /// Entries are missing, or stand twice.
    #[error("entry {found} stands where entry {expected} belongs: entries were removed or put in")]
    Gap {
        /// The entry that belongs there.
        expected: Sequence,
        /// The one that is there.
        found: Sequence,
    },
    /// An entry names another line than the one before it.
    #[error(
        "entry {sequence} names another line than the one before it: one of the two was changed"
    )]
    Broken {
        /// The entry.
        sequence: Sequence,
    },
    /// An entry that begins a segment stands inside of one.
    #[error("entry {sequence} begins a segment, and stands inside of one")]
    Misplaced {
        /// The entry.
        sequence: Sequence,
    },
    /// The log is shorter than a checkpoint has signed.
    #[error("the log was cut: it ends with entry {last}, and entry {signed} was signed")]
    Truncated {
        /// The last entry that is there.
        last: Sequence,
        /// The entry that the checkpoint names.
        signed: Sequence,
    },
    /// An entry is not the one that a checkpoint has signed.
    #[error(
        "the log was rewritten between entry {agreed} and entry {signed}: its line is not the one that was signed"
    )]
    Rewritten {
        /// The last entry before that another checkpoint has signed and that is there, 0 if none.
        agreed: Sequence,
        /// The entry that the checkpoint names.
        signed: Sequence,
    },
    /// An entry that a checkpoint has signed is not there, though later ones are.
    #[error("entry {signed}, which was signed, is missing")]
    Missing {
        /// The entry that the checkpoint names.
        signed: Sequence,
    },
    /// A checkpoint cannot be believed.
    #[error("the checkpoint is not believed: {fact}")]
    Unbelieved {
        /// Why.
        fact: String,
    },
    /// A checkpoint is of another log.
    #[error(
        "the checkpoint is of another log, {log}, which had {signed} entries: was that one replaced by this one?"
    )]
    OtherLog {
        /// That log's name.
        log: String,
        /// Its last entry.
        signed: Sequence,
    },
    /// No checkpoint says anything of this log.
    #[error(
        "no checkpoint of this log is signed by the given keys: neither cutting nor rewriting would be seen"
    )]
    NoCheckpoint,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(out, "{}", file.display())?;
            match self.line.zip(self.byte) {
                Some((line, byte)) => write!(out, ", line {line} (byte {byte}): ")?,
                None => write!(out, ": ")?,
            }
        }
        self.fault.fmt(out)
    }
}
