//! Event logs of the firmware (`binary_bios_measurements`): reading, replaying, explaining.
//!
//! Source: TCG PC Client Platform Firmware Profile Specification, chapter "Event Logging": a header event in the format
//! of TPM 1.2, then entries with one digest for each bank; or the format of TPM 1.2 throughout.

mod check;
pub mod compare;
mod contradiction;
mod describe;
mod device_path;
mod error;
mod names;
mod read;
mod reader;
pub mod userspace;

use std::collections::BTreeMap;

pub use contradiction::{Contradiction, Finding};
pub use error::{EventLogError, HeaderError};

use crate::bank::{Bank, Digest};
use names::event;

/// How every identification of a log begins.
const SPEC_ID: &[u8] = b"Spec ID Event";
/// The firmware's identification of a crypto-agile log, with its NUL.
const SPEC_ID_03: &[u8] = b"Spec ID Event03\0";
/// The firmware's note from which locality the machine was started, with its NUL.
const STARTUP_LOCALITY: &[u8] = b"StartupLocality\0";

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The register that was extended.
    pub pcr: u32,
    /// The event's type: `EV_…`, see [`LoggedEvent::type_name`].
    pub event_type: u32,
    /// The digests by `TPM_ALG_ID`, algorithms without a [`Bank`] included.
    pub digests: Vec<(u16, Vec<u8>)>,
    /// What the firmware says about it. Whether it is what was hashed depends on the type.
    pub data: Vec<u8>,
}

impl LoggedEvent {
    /// The digest in one bank.
    pub fn digest(&self, bank: Bank) -> Option<Digest> {
        let bytes = self
            .digests
            .iter()
            .find(|(algorithm, _)| *algorithm == bank.algorithm());
        bytes
            .and_then(|(_, bytes)| Digest::from_bytes(bytes).ok())
            .filter(|digest| digest.bank() == bank)
    }

    /// Whether the event extends its register.
    pub fn extends(&self) -> bool {
        self.event_type != event::NO_ACTION
    }

    /// Whether all bytes of all digests are zero, as in an event that extends nothing.
    fn has_zero_digests(&self) -> bool {
        let mut bytes = self.digests.iter().flat_map(|(_, digest)| digest);
        bytes.all(|byte| *byte == 0)
    }

    /// The name of the event's type, as the specification writes it, or its number.
    pub fn type_name(&self) -> String {
        names::of(self.event_type)
            .map_or_else(|| format!("{:#010x}", self.event_type), str::to_owned)
    }

    /// What the event says, in one line, without control characters.
    pub fn describe(&self) -> String {
        describe::describe(self)
    }
}

/// A log, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLog {
    /// The algorithms that the header announces, with the lengths in bytes of their digests; for a log in the format
    /// of TPM 1.2 SHA-1 alone.
    pub algorithms: Vec<(u16, u16)>,
    /// All events in order, the header event included.
    pub events: Vec<LoggedEvent>,
}

/// Reads a log in either format.
///
/// # Errors
/// [`EventLogError`] when it is cut off, no log, or contradicts itself in a way that leaves open what was extended. What
/// contradicts itself without that, [`EventLog::contradictions`] finds.
pub fn parse(log: &[u8]) -> Result<EventLog, EventLogError> {
    let log = read::log(log)?;
    check::check(&log)?;
    Ok(log)
}

impl EventLog {
    /// Whether the log has digests of this bank. The header may announce more than the events have.
    pub fn has(&self, bank: Bank) -> bool {
        self.has_algorithm(bank.algorithm())
    }

    /// Whether the events that extend have digests of this algorithm; of a log without such events, whether the header
    /// announces it.
    pub fn has_algorithm(&self, algorithm: u16) -> bool {
        let mut extending = self.events.iter().filter(|event| event.extends());
        match extending.next() {
            Some(event) => event.digests.iter().any(|(of, _)| *of == algorithm),
            None => self.algorithms.iter().any(|(of, _)| *of == algorithm),
        }
    }

    /// The locality from which the machine was started, when the log notes it.
    pub fn startup_locality(&self) -> Option<u8> {
        let note = |event: &LoggedEvent| match event.data.strip_prefix(STARTUP_LOCALITY) {
            Some([locality, ..]) if !event.extends() => Some(*locality),
            _ => None,
        };
        self.events.iter().find_map(note)
    }

    /// The values of the registers that the log touches, in one bank.
    ///
    /// Registers start at zero; PCR 0 at the startup locality when it is noted, and at 4 when the H-CRTM is measured.
    ///
    /// # Errors
    /// [`EventLogError::NoDigest`] when the log has no digests of this bank.
    pub fn replay(&self, bank: Bank) -> Result<BTreeMap<u32, Digest>, EventLogError> {
        let hcrtm = self
            .events
            .iter()
            .any(|event| event.event_type == event::HCRTM);
        let locality = match hcrtm {
            true => check::HCRTM_LOCALITY,
            false => self.startup_locality().unwrap_or(0),
        };
        let start = |pcr| {
            if pcr == 0 {
                Digest::at_locality(bank, locality)
            } else {
                Digest::zero(bank)
            }
        };
        let mut pcrs = BTreeMap::new();
        for (number, event) in self
            .events
            .iter()
            .enumerate()
            .filter(|(_, event)| event.extends())
        {
            let digest = event.digest(bank).ok_or(EventLogError::NoDigest {
                event: number,
                bank,
            })?;
            let value = pcrs.entry(event.pcr).or_insert_with(|| start(event.pcr));
            *value = value.extended(&digest);
        }
        Ok(pcrs)
    }
}

#[cfg(test)]
mod tests;
