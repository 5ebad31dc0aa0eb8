//! `eventlog.show` and `eventlog.replay`: what the log of a machine's firmware says, and the PCR values that it adds up to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::eventlog::{EventLog, EventLogError, LoggedEvent, parse};
use touchstone_measure::{Bank, Digest};

use crate::source::read_small;
use crate::{Context, Error};

/// The largest log that is read, in bytes: machines' logs have tens of kilobytes.
const LIMIT: u64 = 64 << 20;

/// The request of `eventlog.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ShowEventLog {
    /// The log.
    pub file: PathBuf,
    /// The banks whose digests are shown; all digests when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// The answer of `eventlog.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownEventLog {
    /// The algorithms that the log announces, each a bank's name or the hexadecimal number of a `TPM_ALG_ID`.
    pub algorithms: Vec<String>,
    /// The locality from which the machine was started, when the log notes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_locality: Option<u8>,
    /// All events in order, the header included.
    pub events: Vec<ShownEvent>,
}

/// An event of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownEvent {
    /// Its place in the log, from 0.
    pub number: usize,
    /// The register.
    pub pcr: u32,
    /// The type's name in the specification, or its hexadecimal number when that has none.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Whether the register was extended: events of type `EV_NO_ACTION` are information alone.
    pub extends: bool,
    /// Algorithm → digest in hex. Algorithms as in [`ShownEventLog::algorithms`].
    pub digests: BTreeMap<String, String>,
    /// What the event says of itself, in a line: the firmware's claim, which no digest need confirm.
    pub says: String,
}

impl ShowEventLog {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], or [`Error::EventLog`] when it is no event log or lacks a bank that is asked for.
    pub fn run(&self, _context: &Context<'_>) -> Result<ShownEventLog, Error> {
        let log = read(&self.file)?;
        self.banks
            .iter()
            .try_for_each(|bank| announced(&log, *bank))
            .map_err(|source| refused(&self.file, source))?;
        let shown = |(number, event)| self.shown(number, event);
        Ok(ShownEventLog {
            algorithms: log.algorithms.iter().map(|(id, _)| name(*id)).collect(),
            startup_locality: log.startup_locality(),
            events: log.events.iter().enumerate().map(shown).collect(),
        })
    }

    fn shown(&self, number: usize, event: &LoggedEvent) -> ShownEvent {
        let mut digests = BTreeMap::new();
        for (algorithm, digest) in &event.digests {
            let asked = |bank: &Bank| bank.algorithm() == *algorithm;
            if self.banks.is_empty() || self.banks.iter().any(asked) {
                digests.insert(name(*algorithm), crate::hex(digest));
            }
        }
        ShownEvent {
            number,
            pcr: event.pcr,
            event_type: event.type_name(),
            extends: event.extends(),
            digests,
            says: event.describe(),
        }
    }
}

/// The request of `eventlog.replay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReplayEventLog {
    /// The log.
    pub file: PathBuf,
    /// Banks; all that the log announces and Touchstone computes when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// The answer of `eventlog.replay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedPcrs {
    /// PCR → bank → value, for the registers that the log extends.
    pub pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>>,
    /// Algorithms of the log that Touchstone does not compute, as hexadecimal numbers (`TPM_ALG_ID`), where no bank was
    /// asked for. The field is absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_replayed: Vec<String>,
}

impl ReplayEventLog {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], or [`Error::EventLog`] when it is no event log or an event lacks a digest of a bank.
    pub fn run(&self, _context: &Context<'_>) -> Result<ReplayedPcrs, Error> {
        let log = read(&self.file)?;
        let (banks, not_replayed) = match self.banks.as_slice() {
            [] => known(&log),
            banks => (banks.to_vec(), Vec::new()),
        };
        let pcrs = replay(&log, &banks).map_err(|source| refused(&self.file, source))?;
        Ok(ReplayedPcrs { pcrs, not_replayed })
    }
}

/// The values in each of these banks.
fn replay(
    log: &EventLog,
    banks: &[Bank],
) -> Result<BTreeMap<u32, BTreeMap<Bank, Digest>>, EventLogError> {
    let mut pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>> = BTreeMap::new();
    for bank in banks {
        announced(log, *bank)?;
        for (pcr, value) in log.replay(*bank)? {
            pcrs.entry(pcr).or_default().insert(*bank, value);
        }
    }
    Ok(pcrs)
}

/// The banks of which a log has digests, and the other algorithms of which it has some.
fn known(log: &EventLog) -> (Vec<Bank>, Vec<String>) {
    let ids = || {
        let announced = log.algorithms.iter().map(|(id, _)| *id);
        announced.filter(|id| log.has_algorithm(*id))
    };
    let others = ids().filter(|id| Bank::of_algorithm(*id).is_none());
    (
        ids().filter_map(Bank::of_algorithm).collect(),
        others.map(name).collect(),
    )
}

fn announced(log: &EventLog, bank: Bank) -> Result<(), EventLogError> {
    match log.has(bank) {
        true => Ok(()),
        false => Err(EventLogError::NoBank(bank)),
    }
}

/// A bank's name, or the number of another algorithm.
fn name(algorithm: u16) -> String {
    Bank::of_algorithm(algorithm).map_or_else(
        || format!("{algorithm:#06x}"),
        |bank| bank.name().to_owned(),
    )
}

/// Reads a log.
///
/// # Errors
/// [`Error::Open`], or [`Error::EventLog`] when it is none.
pub(crate) fn read(path: &Path) -> Result<EventLog, Error> {
    let bytes = read_small("event log", path, LIMIT)?;
    parse(&bytes).map_err(|source| refused(path, source))
}

pub(crate) fn refused(path: &Path, source: EventLogError) -> Error {
    Error::EventLog {
        file: path.to_owned(),
        source,
    }
}
