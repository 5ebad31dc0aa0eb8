//! `eventlog.show`: every event of the logs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::Bank;
use touchstone_measure::eventlog::LoggedEvent;
use touchstone_measure::eventlog::userspace::{Record, Target};

use super::{Logs, name, other_text};
use crate::{Context, Error};

/// The request of `eventlog.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ShowEventLog {
    /// The firmware's log.
    pub file: Option<PathBuf>,
    /// The log of what systemd measured later.
    pub userspace: Option<PathBuf>,
    /// The banks whose digests are shown; all digests when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// The answer of `eventlog.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownEventLog {
    /// The algorithms that the firmware's log announces, each a bank's name or the hexadecimal number of a `TPM_ALG_ID`. Its events
    /// may have fewer.
    pub algorithms: Vec<String>,
    /// The locality from which the machine was started, when the log notes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_locality: Option<u8>,
    /// All events of the firmware's log in order, the header included.
    pub events: Vec<ShownEvent>,
    /// All records of systemd's log in order. The field is absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub userspace: Vec<ShownRecord>,
}

/// An event of the firmware's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownEvent {
    /// Its place in the log, from 0.
    pub number: usize,
    /// The register. Of an event that extends nothing it may be any number.
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
    /// In what the event contradicts itself, in words. The field is absent when in nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<String>,
}

/// A record of systemd's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownRecord {
    /// Its place in the log, from 0.
    pub number: usize,
    /// The register; absent when an NV index was extended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcr: Option<u32>,
    /// The NV index that was extended in the place of a register.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nv_index: Option<u32>,
    /// systemd's word for what it is about, such as `phase`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Algorithm → digest in hex.
    pub digests: BTreeMap<String, String>,
    /// What the record says of itself, in a line.
    pub says: String,
    /// In what the record contradicts itself, in words. The field is absent when in nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<String>,
}

impl ShowEventLog {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EventLog`] or [`Error::UserspaceLog`] when a file is no log or lacks a bank that is asked for, and
    /// [`Error::Request`] when none is named.
    pub fn run(&self, context: &Context<'_>) -> Result<ShownEventLog, Error> {
        let logs = Logs::read(
            context.files,
            self.file.as_ref(),
            self.userspace.as_ref(),
            &self.banks,
        )?;
        let firmware = logs.firmware.as_ref();
        let mut events: Vec<ShownEvent> = firmware
            .into_iter()
            .flat_map(|log| log.events.iter().enumerate())
            .map(|(number, event)| self.event(number, event))
            .collect();
        for found in firmware.into_iter().flat_map(|log| log.contradictions()) {
            if let Some(event) = events.get_mut(found.event) {
                event.contradictions.push(found.finding.describe());
            }
        }
        let records = logs.userspace.iter().flat_map(|log| &log.records);
        Ok(ShownEventLog {
            algorithms: firmware
                .into_iter()
                .flat_map(|log| &log.algorithms)
                .map(|(id, _)| name(*id))
                .collect(),
            startup_locality: firmware.and_then(|log| log.startup_locality()),
            events,
            userspace: records
                .enumerate()
                .map(|(number, record)| self.record(number, record))
                .collect(),
        })
    }

    fn asks(&self, bank: Option<Bank>) -> bool {
        self.banks.is_empty() || bank.is_some_and(|bank| self.banks.contains(&bank))
    }

    fn event(&self, number: usize, event: &LoggedEvent) -> ShownEvent {
        let digests = event.digests.iter();
        let asked = digests.filter(|(id, _)| self.asks(Bank::of_algorithm(*id)));
        ShownEvent {
            number,
            pcr: event.pcr,
            event_type: event.type_name(),
            extends: event.extends(),
            digests: asked
                .map(|(id, digest)| (name(*id), crate::hex(digest)))
                .collect(),
            says: event.describe(),
            contradictions: Vec::new(),
        }
    }

    fn record(&self, number: usize, record: &Record) -> ShownRecord {
        let digests = record.digests.iter();
        let asked = digests.filter(|(bank, _)| self.asks(Some(**bank)));
        let mut digests: BTreeMap<String, String> = asked
            .map(|(bank, digest)| (bank.name().to_owned(), digest.to_string()))
            .collect();
        if self.asks(None) {
            digests.extend(record.others.clone());
        }
        let (pcr, nv_index) = match record.target {
            Target::Pcr(pcr) => (Some(pcr), None),
            Target::NvIndex(index) => (None, Some(index)),
        };
        ShownRecord {
            number,
            pcr,
            nv_index,
            kind: record.kind.clone(),
            digests,
            says: record.describe(),
            contradictions: record
                .contradictions()
                .into_iter()
                .map(other_text)
                .collect(),
        }
    }
}
