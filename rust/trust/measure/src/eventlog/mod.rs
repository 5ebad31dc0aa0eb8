//! Event logs of the firmware (`binary_bios_measurements`): reading, replaying, explaining.
//!
//! Source: TCG PC Client Platform Firmware Profile Specification, chapter "Event Logging": a header event in the format
//! of TPM 1.2, then entries with one digest for each bank; or the format of TPM 1.2 throughout.

mod describe;
mod device_path;
mod names;
mod reader;

use std::collections::BTreeMap;

use crate::bank::{Bank, Digest};
use reader::Reader;

/// `EV_NO_ACTION`: information that extends nothing.
const NO_ACTION: u32 = 3;
/// The firmware's identification of a crypto-agile log, with its NUL.
const SPEC_ID_03: &[u8] = b"Spec ID Event03\0";
/// The firmware's note from which locality the machine was started, with its NUL.
const STARTUP_LOCALITY: &[u8] = b"StartupLocality\0";
/// The largest log that is read: machines' logs have tens of kilobytes.
const LOG_LIMIT: usize = 64 << 20;

/// Why bytes are no event log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventLogError {
    /// There is nothing.
    #[error("it is empty: the firmware kept no log, or the machine has no TPM")]
    Empty,
    /// It is far bigger than a log.
    #[error("it has {0} bytes; no event log is larger than 64 MiB")]
    TooBig(usize),
    /// It ends inside of an event.
    #[error("it ends inside of event {event} at byte {offset}: it is truncated, or no event log")]
    Truncated {
        /// The event's number, from 0.
        event: usize,
        /// Where reading stopped, in bytes.
        offset: usize,
    },
    /// The header event does not describe its algorithms.
    #[error("its header event is malformed: {0}")]
    Header(&'static str),
    /// An event has a digest of an algorithm that the header did not announce.
    #[error(
        "event {event} has a digest of algorithm {algorithm:#06x}, which the header does not announce"
    )]
    Algorithm {
        /// The event's number, from 0.
        event: usize,
        /// The `TPM_ALG_ID`.
        algorithm: u16,
    },
    /// An event has more digests than there are algorithms.
    #[error(
        "event {event} has {count} digests, but the header announces only {announced} algorithms"
    )]
    TooManyDigests {
        /// The event's number, from 0.
        event: usize,
        /// How many it claims.
        count: u32,
        /// How many there may be.
        announced: usize,
    },
    /// The log has no digests of a bank at all.
    #[error("it has no {0} digests: ask for a bank that it has")]
    NoBank(Bank),
    /// The log cannot be replayed in a bank.
    #[error("event {event} has no {bank} digest: the log cannot be replayed in that bank")]
    NoDigest {
        /// The event's number, from 0.
        event: usize,
        /// The bank.
        bank: Bank,
    },
}

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
        self.event_type != NO_ACTION
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
pub fn parse(log: &[u8]) -> Result<EventLog, EventLogError> {
    if log.is_empty() {
        return Err(EventLogError::Empty);
    }
    if log.len() > LOG_LIMIT {
        return Err(EventLogError::TooBig(log.len()));
    }
    let mut reader = Reader::new(log);
    let first = legacy(&mut reader).ok_or(EventLogError::Truncated {
        event: 0,
        offset: reader.offset(),
    })?;
    let agile = !first.extends() && first.data.starts_with(SPEC_ID_03);
    let algorithms = match agile {
        true => announced(&first.data)?,
        false => vec![(Bank::Sha1.algorithm(), 20)],
    };
    let mut events = vec![first];
    while !reader.is_empty() {
        let number = events.len();
        let event = match agile {
            true => crypto_agile(&mut reader, &algorithms, number)?,
            false => legacy(&mut reader),
        };
        events.push(event.ok_or(EventLogError::Truncated {
            event: number,
            offset: reader.offset(),
        })?);
    }
    Ok(EventLog { algorithms, events })
}

/// `TCG_PCR_EVENT`: one SHA-1 digest.
fn legacy(reader: &mut Reader<'_>) -> Option<LoggedEvent> {
    let (pcr, event_type) = (reader.u32()?, reader.u32()?);
    let digest = reader.take(20)?.to_vec();
    let length = usize::try_from(reader.u32()?).ok()?;
    let data = reader.take(length)?.to_vec();
    Some(LoggedEvent {
        pcr,
        event_type,
        digests: vec![(Bank::Sha1.algorithm(), digest)],
        data,
    })
}

/// `TCG_PCR_EVENT2`: a digest for each bank. None when the log ends inside.
fn crypto_agile(
    reader: &mut Reader<'_>,
    algorithms: &[(u16, u16)],
    event: usize,
) -> Result<Option<LoggedEvent>, EventLogError> {
    let (Some(pcr), Some(event_type), Some(count)) = (reader.u32(), reader.u32(), reader.u32())
    else {
        return Ok(None);
    };
    let announced = algorithms.len();
    if usize::try_from(count).map_or(true, |count| count > announced) {
        return Err(EventLogError::TooManyDigests {
            event,
            count,
            announced,
        });
    }
    let mut digests = Vec::new();
    for _ in 0..count {
        let Some(algorithm) = reader.u16() else {
            return Ok(None);
        };
        let (_, length) = algorithms
            .iter()
            .find(|(announced, _)| *announced == algorithm)
            .ok_or(EventLogError::Algorithm { event, algorithm })?;
        let Some(digest) = reader.take(usize::from(*length)) else {
            return Ok(None);
        };
        digests.push((algorithm, digest.to_vec()));
    }
    let length = reader.u32().and_then(|length| usize::try_from(length).ok());
    let data = length.and_then(|length| reader.take(length));
    Ok(data.map(|data| LoggedEvent {
        pcr,
        event_type,
        digests,
        data: data.to_vec(),
    }))
}

/// The algorithms that a `TCG_EfiSpecIdEvent` announces.
fn announced(header: &[u8]) -> Result<Vec<(u16, u16)>, EventLogError> {
    let mut reader = Reader::new(header);
    // Signature, platform class, version, errata, size of UINTN: nothing that changes how the log is read.
    reader
        .take(SPEC_ID_03.len() + 8)
        .ok_or(EventLogError::Header(
            "it ends before its list of algorithms",
        ))?;
    let count = reader.u32().ok_or(EventLogError::Header(
        "it ends before its list of algorithms",
    ))?;
    if count == 0 || count > 16 {
        return Err(EventLogError::Header(
            "it announces no algorithm, or more than 16",
        ));
    }
    let mut algorithms = Vec::new();
    for _ in 0..count {
        let (Some(algorithm), Some(length)) = (reader.u16(), reader.u16()) else {
            return Err(EventLogError::Header(
                "it ends inside of its list of algorithms",
            ));
        };
        if Bank::of_algorithm(algorithm)
            .is_some_and(|bank| bank.digest_len() != usize::from(length))
        {
            return Err(EventLogError::Header(
                "it gives a known algorithm a wrong length",
            ));
        }
        algorithms.push((algorithm, length));
    }
    Ok(algorithms)
}

impl EventLog {
    /// Whether the log has digests of this bank.
    pub fn has(&self, bank: Bank) -> bool {
        self.algorithms
            .iter()
            .any(|(algorithm, _)| *algorithm == bank.algorithm())
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
    /// Registers start at zero; PCR 0 at the startup locality when it is noted.
    pub fn replay(&self, bank: Bank) -> Result<BTreeMap<u32, Digest>, EventLogError> {
        let locality = self.startup_locality().unwrap_or(0);
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
