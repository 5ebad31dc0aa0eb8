//! `eventlog.replay`: the PCR values that the logs add up to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::eventlog::EventLogError;
use touchstone_measure::{Bank, Digest};

use super::{Logs, name, refused};
use crate::{Context, Error};

/// The request of `eventlog.replay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReplayEventLog {
    /// The firmware's log.
    pub file: Option<PathBuf>,
    /// The log of what systemd measured later. Without the firmware's, registers begin at zero.
    pub userspace: Option<PathBuf>,
    /// Banks; all of which the log has digests and that Touchstone computes when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// The answer of `eventlog.replay`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedPcrs {
    /// PCR → bank → value, for the registers that the logs extend.
    pub pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>>,
    /// Algorithms of the logs that Touchstone does not compute, where no bank was asked for: hexadecimal numbers (`TPM_ALG_ID`), and
    /// systemd's names in its log. The field is absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_replayed: Vec<String>,
    /// In what the logs contradict themselves, in words. The field is absent when in nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<String>,
}

impl ReplayEventLog {
    /// Performs the operation.
    ///
    /// # Errors
    /// As [`super::ShowEventLog::run`].
    pub fn run(&self, context: &Context<'_>) -> Result<ReplayedPcrs, Error> {
        let logs = Logs::read(
            context.files,
            self.file.as_ref(),
            self.userspace.as_ref(),
            &self.banks,
        )?;
        let (banks, not_replayed) = match self.banks.as_slice() {
            [] => known(&logs),
            banks => (banks.iter().copied().collect(), BTreeSet::new()),
        };
        let mut pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>> = BTreeMap::new();
        for bank in banks {
            let values = values(&logs, bank).map_err(|source| match &self.file {
                Some(file) => refused(file, source),
                None => refused(&PathBuf::new(), source),
            })?;
            for (pcr, value) in values {
                pcrs.entry(pcr).or_default().insert(bank, value);
            }
        }
        Ok(ReplayedPcrs {
            pcrs,
            not_replayed: not_replayed.into_iter().collect(),
            contradictions: logs.contradictions(),
        })
    }
}

/// The values in one bank.
fn values(logs: &Logs, bank: Bank) -> Result<BTreeMap<u32, Digest>, EventLogError> {
    let firmware = logs.firmware.as_ref();
    let mut values = firmware.map_or_else(|| Ok(BTreeMap::new()), |log| log.replay(bank))?;
    if let Some(log) = &logs.userspace {
        log.replay(bank, &mut values);
    }
    Ok(values)
}

/// The banks of which the first of the logs has digests, and the other algorithms of which there are some.
fn known(logs: &Logs) -> (BTreeSet<Bank>, BTreeSet<String>) {
    let (mut banks, mut others) = (BTreeSet::new(), BTreeSet::new());
    if let Some(log) = &logs.firmware {
        let ids = log.algorithms.iter().map(|(id, _)| *id);
        for id in ids.filter(|id| log.has_algorithm(*id)) {
            match Bank::of_algorithm(id) {
                Some(bank) => drop(banks.insert(bank)),
                None => drop(others.insert(name(id))),
            }
        }
    }
    let records = logs.userspace.iter().flat_map(|log| &log.records);
    for record in records {
        if logs.firmware.is_none() {
            banks.extend(record.digests.keys());
        }
        others.extend(record.others.keys().cloned());
    }
    (banks, others)
}
