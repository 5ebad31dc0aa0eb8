//! From bytes to events, each looked at by itself.

use super::error::{EventLogError, HeaderError};
use super::names::event;
use super::reader::Reader;
use super::{EventLog, LoggedEvent, SPEC_ID, SPEC_ID_03};
use crate::bank::Bank;

/// The largest log that is read: machines' logs have tens of kilobytes.
const LOG_LIMIT: usize = 64 << 20;
/// More algorithms than any TPM has banks.
const ALGORITHM_LIMIT: u32 = 16;
/// Digests of algorithms without a [`Bank`], in bytes (TCG Algorithm Registry): SM3-256, SHA3-256, SHA3-384, SHA3-512.
const OTHER_LENGTHS: [(u16, usize); 4] = [(0x12, 32), (0x27, 32), (0x28, 48), (0x29, 64)];

/// Digests by `TPM_ALG_ID`.
type ByAlgorithm = Vec<(u16, Vec<u8>)>;

/// All events of a log.
pub(super) fn log(bytes: &[u8]) -> Result<EventLog, EventLogError> {
    if bytes.is_empty() {
        return Err(EventLogError::Empty);
    }
    if bytes.len() > LOG_LIMIT {
        return Err(EventLogError::TooBig(bytes.len()));
    }
    let mut reader = Reader::new(bytes);
    let zeros = before_zeros(bytes);
    if zeros == 0 {
        return Err(EventLogError::Zeros {
            event: 0,
            offset: 0,
        });
    }
    let first = legacy(&mut reader).ok_or(EventLogError::Truncated {
        event: 0,
        offset: reader.offset(),
    })?;
    let agile = !first.extends() && first.data.starts_with(SPEC_ID_03);
    let algorithms = match agile {
        true => announced(&first)?,
        false => vec![(Bank::Sha1.algorithm(), 20)],
    };
    let mut events = vec![first];
    while !reader.is_empty() {
        let number = events.len();
        if reader.offset() >= zeros {
            return Err(EventLogError::Zeros {
                event: number,
                offset: reader.offset(),
            });
        }
        let event = match agile {
            true => crypto_agile(&mut reader, &algorithms, number)?,
            false => legacy(&mut reader),
        };
        let event = event.ok_or(EventLogError::Truncated {
            event: number,
            offset: reader.offset(),
        })?;
        if !event.extends() && event.data.starts_with(SPEC_ID) {
            return Err(EventLogError::SecondHeader { event: number });
        }
        events.push(event);
    }
    Ok(EventLog { algorithms, events })
}

/// How many bytes stand before the zeros at the end: at least an event's register and type belong to them, and no event has
/// type 0 (`EV_PREBOOT_CERT`, reserved) in PCR 0.
fn before_zeros(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte != 0);
    let before = last.map_or(0, |last| last + 1);
    match bytes.len() - before {
        0..8 => bytes.len(),
        _ => before,
    }
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
    let (Some(pcr), Some(event_type)) = (reader.u32(), reader.u32()) else {
        return Ok(None);
    };
    let Some(digests) = digests(reader, algorithms, event)? else {
        return Ok(None);
    };
    let length = reader.u32().and_then(|length| usize::try_from(length).ok());
    let data = length.and_then(|length| reader.take(length));
    Ok(data.map(|data| LoggedEvent {
        pcr,
        event_type,
        digests,
        data: data.to_vec(),
    }))
}

/// `TPML_DIGEST_VALUES`.
fn digests(
    reader: &mut Reader<'_>,
    algorithms: &[(u16, u16)],
    event: usize,
) -> Result<Option<ByAlgorithm>, EventLogError> {
    let Some(count) = reader.u32() else {
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
    let mut digests = ByAlgorithm::new();
    for _ in 0..count {
        let Some(algorithm) = reader.u16() else {
            return Ok(None);
        };
        let (_, length) = algorithms
            .iter()
            .find(|(announced, _)| *announced == algorithm)
            .ok_or(EventLogError::Algorithm { event, algorithm })?;
        if digests.iter().any(|(seen, _)| *seen == algorithm) {
            return Err(EventLogError::DuplicateDigest { event, algorithm });
        }
        let Some(digest) = reader.take(usize::from(*length)) else {
            return Ok(None);
        };
        digests.push((algorithm, digest.to_vec()));
    }
    Ok(Some(digests))
}

/// The algorithms that a `TCG_EfiSpecIDEvent` announces.
fn announced(header: &LoggedEvent) -> Result<Vec<(u16, u16)>, HeaderError> {
    debug_assert_eq!(header.event_type, event::NO_ACTION);
    if header.pcr != 0 {
        return Err(HeaderError::Register(header.pcr));
    }
    if !header.has_zero_digests() {
        return Err(HeaderError::Digest);
    }
    let mut reader = Reader::new(&header.data);
    // Signature, platform class, version, errata, size of UINTN: nothing that changes how the log is read.
    reader
        .take(SPEC_ID_03.len() + 8)
        .ok_or(HeaderError::Short)?;
    let count = reader.u32().ok_or(HeaderError::Short)?;
    match count {
        0 => return Err(HeaderError::NoAlgorithm),
        1..=ALGORITHM_LIMIT => (),
        _ => return Err(HeaderError::TooManyAlgorithms(count)),
    }
    let mut algorithms: Vec<(u16, u16)> = Vec::new();
    for _ in 0..count {
        let (Some(algorithm), Some(length)) = (reader.u16(), reader.u16()) else {
            return Err(HeaderError::Short);
        };
        if algorithms.iter().any(|(seen, _)| *seen == algorithm) {
            return Err(HeaderError::DuplicateAlgorithm(algorithm));
        }
        if !may_have(algorithm, usize::from(length)) {
            return Err(HeaderError::DigestLength { algorithm, length });
        }
        algorithms.push((algorithm, length));
    }
    let claimed = reader.u8().ok_or(HeaderError::Short)?;
    let found = reader.rest().len();
    if usize::from(claimed) != found {
        return Err(HeaderError::VendorData { claimed, found });
    }
    Ok(algorithms)
}

/// Whether digests of this algorithm may have this length; of one that is not known, any but none.
fn may_have(algorithm: u16, length: usize) -> bool {
    let others = || OTHER_LENGTHS.iter().find(|(other, _)| *other == algorithm);
    let known = Bank::of_algorithm(algorithm)
        .map(Bank::digest_len)
        .or_else(|| others().map(|(_, length)| *length));
    known.map_or(length > 0, |known| known == length)
}
