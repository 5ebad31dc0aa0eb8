//! The log of what systemd measures while the system runs (`/run/log/systemd/tpm2-measure.log`): phases, file systems, keys.
//!
//! JSON text sequences (RFC 7464) of records in the manner of TCG's Canonical Event Log. Written by systemd 252 and later;
//! compared with systemd-pcrextend 257 and 262.

mod error;
mod record;

use std::collections::BTreeMap;

pub use error::UserspaceLogError;

use super::describe::printable;
use crate::bank::{Bank, Digest};

/// What begins each record: ASCII record separator.
const SEPARATOR: u8 = 0x1e;
/// The largest log that is read.
const LOG_LIMIT: usize = 64 << 20;

/// What a record extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A register.
    Pcr(u32),
    /// An NV index of the TPM that behaves as a register (systemd 262: "NvPCR"); no register changes.
    NvIndex(u32),
}

/// One measurement of systemd's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What was extended.
    pub target: Target,
    /// The digests. A bank that is not here was not extended.
    pub digests: BTreeMap<Bank, Digest>,
    /// Digests of algorithms that are not computed here, by systemd's name of the algorithm.
    pub others: BTreeMap<String, String>,
    /// What it is about: `phase`, `filesystem`, `volume-key`, `machine-id`, `touchstone-closure` and others.
    pub kind: Option<String>,
    /// What was measured, where that is no secret.
    pub text: Option<String>,
    /// Who wrote the record, when it was not systemd; then the text is not understood.
    pub foreign: Option<String>,
}

impl Record {
    /// What the record says, in one line without control characters.
    pub fn describe(&self) -> String {
        let text = match (&self.foreign, self.kind.as_deref(), &self.text) {
            (Some(writer), _, _) => format!("a record of {writer}"),
            (None, Some("phase"), Some(text)) => format!("the boot phase {text}"),
            (None, Some("filesystem"), Some(text)) => {
                format!("the file system {}", behind(text, "file-system:"))
            }
            (None, Some("machine-id"), Some(text)) => {
                format!("the machine ID {}", behind(text, "machine-id:"))
            }
            (None, Some("touchstone-closure"), Some(text)) => {
                format!(
                    "the verified closure {}",
                    behind(text, "touchstone-closure:")
                )
            }
            (None, Some("os-separator" | "nvpcr-separator"), Some(text)) => {
                format!("systemd's line {text}")
            }
            (None, Some("volume-key"), Some(text)) => format!("a volume key: {text}"),
            (None, Some(kind), Some(text)) => format!("{kind}: {text}"),
            (None, Some(kind), None) => kind.to_owned(),
            (None, None, Some(text)) => text.clone(),
            (None, None, None) => "a measurement without a word".to_owned(),
        };
        printable(&text)
    }

    /// The banks whose digest is not that of the text, for kinds whose text is what is hashed: phases, separators, file
    /// systems, the machine's identity, and the closure that `touchstone-stage1` verified. Of a volume key a keyed hash is measured, which nobody can check.
    pub fn contradictions(&self) -> Vec<Bank> {
        let hashed = match (self.foreign.is_none(), self.kind.as_deref()) {
            (
                true,
                Some(
                    "phase" | "filesystem" | "machine-id" | "os-separator" | "nvpcr-separator"
                    | "touchstone-closure",
                ),
            ) => self.text.as_deref(),
            _ => None,
        };
        let Some(hashed) = hashed else {
            return Vec::new();
        };
        let lies = |(bank, digest): &(&Bank, &Digest)| bank.hash(hashed.as_bytes()) != **digest;
        let lying = self.digests.iter().filter(lies);
        lying.map(|(bank, _)| *bank).collect()
    }
}

/// The text without the word that it begins with.
fn behind<'a>(text: &'a str, word: &str) -> &'a str {
    text.strip_prefix(word).unwrap_or(text)
}

/// A log of systemd's, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserspaceLog {
    /// All records in order.
    pub records: Vec<Record>,
}

impl UserspaceLog {
    /// Whether a record has a digest of this bank.
    pub fn has(&self, bank: Bank) -> bool {
        self.records
            .iter()
            .any(|record| record.digests.contains_key(&bank))
    }

    /// Extends these values, which are what the firmware's log adds up to, or nothing: registers that are not there begin at
    /// zero.
    pub fn replay(&self, bank: Bank, pcrs: &mut BTreeMap<u32, Digest>) {
        for record in &self.records {
            if let (Target::Pcr(pcr), Some(digest)) = (record.target, record.digests.get(&bank)) {
                let value = pcrs.entry(pcr).or_insert(Digest::zero(bank));
                *value = value.extended(digest);
            }
        }
    }
}

/// Reads a log of systemd's.
///
/// # Errors
/// [`UserspaceLogError`] when it is cut off, no such log, holds records of several boots, or leaves open what was extended.
pub fn parse(log: &[u8]) -> Result<UserspaceLog, UserspaceLogError> {
    if log.is_empty() {
        return Err(UserspaceLogError::Empty);
    }
    if log.len() > LOG_LIMIT {
        return Err(UserspaceLogError::TooBig(log.len()));
    }
    let Some((&SEPARATOR, rest)) = log.split_first() else {
        return Err(UserspaceLogError::NoSequence);
    };
    let mut records = Vec::new();
    let mut boot = None;
    // RFC 7464 lets several separators stand in a row.
    let texts = rest.split(|byte| *byte == SEPARATOR);
    for text in texts.filter(|text| !text.is_empty()) {
        let number = records.len();
        let (record, of) = record::read(number, text)?;
        match (&boot, of) {
            (Some(first), Some(of)) if *first != of => {
                return Err(UserspaceLogError::OtherBoot { record: number });
            }
            (None, of) => boot = of,
            _ => (),
        }
        records.push(record);
    }
    Ok(UserspaceLog { records })
}

#[cfg(test)]
mod tests;
