//! What a machine's registers hold: read from values, or from the log of its firmware.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::policy::{Machine, Moment};
use touchstone_measure::{Bank, Digest, PhasePath};

use super::read_json;
use crate::{Error, Files, eventlog};

/// What a machine's registers hold. One of `values` and `eventLog`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MachineState {
    /// A JSON file with the values: `{"7": "<hex>", …}`, or as `touchstone eventlog replay --json` prints them.
    pub values: Option<PathBuf>,
    /// The path of phases at whose end the values were read; without it, the moment that each leaf of a prediction is about.
    pub phase: Option<PhasePath>,
    /// The log of the machine's firmware, whose values are those before systemd's first phase.
    pub event_log: Option<PathBuf>,
}

impl MachineState {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        *self == MachineState::default()
    }

    /// The registers of this bank.
    ///
    /// # Errors
    /// [`Error::Request`], and what reading the file refuses.
    pub(super) fn read(&self, files: &dyn Files, bank: Bank) -> Result<Machine, Error> {
        match (&self.values, &self.event_log) {
            (Some(values), None) => Ok(Machine {
                values: read_values(files, values, bank)?,
                moment: self
                    .phase
                    .clone()
                    .map_or(Moment::AsPredicted, Moment::Phase),
            }),
            (None, Some(log)) if self.phase.is_none() => {
                let replayed = eventlog::read(files, log)?
                    .replay(bank)
                    .map_err(|source| eventlog::refused(log, source))?;
                // A log that does not mention a register left it as it was at the start.
                let zeros = (0..24).map(|pcr| (pcr, Digest::zero(bank)));
                Ok(Machine {
                    values: zeros.chain(replayed).collect(),
                    moment: Moment::Firmware,
                })
            }
            _ => Err(Error::Request {
                fact: "what the machine holds is not said in one way".to_owned(),
                help: "give `values` (and `phase`, the moment at which they were read), or `eventLog` alone",
            }),
        }
    }
}

/// Reads a file with values, in either form.
fn read_values(files: &dyn Files, file: &Path, bank: Bank) -> Result<BTreeMap<u32, Digest>, Error> {
    let role = "set of PCR values";
    let mut json: serde_json::Value = read_json(files, role, file)?;
    let malformed = |error: serde_json::Error| Error::Text {
        role,
        file: file.to_owned(),
        fact: error.to_string(),
    };
    let Some(pcrs) = json.get_mut("pcrs") else {
        return serde_json::from_value(json).map_err(malformed);
    };
    let pcrs: BTreeMap<u32, BTreeMap<Bank, Digest>> =
        serde_json::from_value(pcrs.take()).map_err(malformed)?;
    let value = |(pcr, banks): (u32, BTreeMap<Bank, Digest>)| Some((pcr, *banks.get(&bank)?));
    Ok(pcrs.into_iter().filter_map(value).collect())
}
