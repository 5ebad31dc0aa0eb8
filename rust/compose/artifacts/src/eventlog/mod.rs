//! `eventlog.show`, `eventlog.replay` and `eventlog.compare`: what the log of a machine's firmware says, the PCR values that it adds
//! up to, and which prediction it is.

mod compare;
mod files;
mod replay;
mod show;

use std::path::{Path, PathBuf};

pub use compare::CompareEventLog;
pub use replay::{ReplayEventLog, ReplayedPcrs};
pub use show::{ShowEventLog, ShownEvent, ShownEventLog, ShownRecord};
pub use touchstone_measure::eventlog::compare::{Comparison, Difference, DifferenceKind};

use touchstone_measure::Bank;
use touchstone_measure::eventlog::userspace::{self, UserspaceLog};
use touchstone_measure::eventlog::{EventLog, EventLogError, parse};

use crate::source::read_small;
use crate::{Error, Files};

/// The largest log that is read, in bytes: machines' logs have tens of kilobytes.
const LIMIT: u64 = 64 << 20;

/// The logs of a request: at least one of them.
struct Logs {
    firmware: Option<EventLog>,
    userspace: Option<UserspaceLog>,
}

impl Logs {
    /// Reads what is named.
    ///
    /// # Errors
    /// [`Error::Request`] when nothing is, and what reading refuses, a log without one of these banks among it.
    fn read(
        files: &dyn Files,
        firmware: Option<&PathBuf>,
        userspace: Option<&PathBuf>,
        banks: &[Bank],
    ) -> Result<Logs, Error> {
        if firmware.is_none() && userspace.is_none() {
            return Err(Error::Request {
                fact: "it names no log".to_owned(),
                help: "name the log of the firmware, the one of systemd, or both",
            });
        }
        let logs = Logs {
            firmware: firmware.map(|path| read(files, path)).transpose()?,
            userspace: userspace
                .map(|path| read_userspace(files, path))
                .transpose()?,
        };
        match (&logs.firmware, firmware, &logs.userspace, userspace) {
            (Some(log), Some(path), _, _) => {
                let missing = banks.iter().find(|bank| !log.has(**bank));
                missing.map_or(Ok(()), |bank| {
                    Err(refused(path, EventLogError::NoBank(*bank)))
                })?;
            }
            (None, _, Some(log), Some(path)) => {
                let missing = banks.iter().find(|bank| !log.has(**bank));
                missing.map_or(Ok(()), |bank| {
                    Err(Error::UserspaceLog {
                        file: path.clone(),
                        source: userspace::UserspaceLogError::NoBank(*bank),
                    })
                })?;
            }
            _ => (),
        }
        Ok(logs)
    }

    /// Everything in which the logs contradict themselves, in words.
    fn contradictions(&self) -> Vec<String> {
        let firmware = self.firmware.iter().flat_map(EventLog::contradictions);
        let firmware =
            firmware.map(|found| format!("event {}: {}", found.event, found.finding.describe()));
        let records = self.userspace.iter().flat_map(|log| &log.records);
        let userspace = records.enumerate().flat_map(|(number, record)| {
            let banks = record.contradictions().into_iter();
            banks.map(move |bank| format!("record {number} of systemd's log: {}", other_text(bank)))
        });
        firmware.chain(userspace).collect()
    }
}

/// A record whose digest is not that of its text.
fn other_text(bank: Bank) -> String {
    format!("its {bank} digest is not that of its text")
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
pub(crate) fn read(files: &dyn Files, path: &Path) -> Result<EventLog, Error> {
    let bytes = read_small(files, "event log", path, LIMIT)?;
    parse(&bytes).map_err(|source| refused(path, source))
}

/// Reads systemd's log.
///
/// # Errors
/// [`Error::Open`], or [`Error::UserspaceLog`] when it is none.
fn read_userspace(files: &dyn Files, path: &Path) -> Result<UserspaceLog, Error> {
    let bytes = read_small(files, "log of systemd's measurements", path, LIMIT)?;
    userspace::parse(&bytes).map_err(|source| Error::UserspaceLog {
        file: path.to_owned(),
        source,
    })
}

pub(crate) fn refused(path: &Path, source: EventLogError) -> Error {
    Error::EventLog {
        file: path.to_owned(),
        source,
    }
}
