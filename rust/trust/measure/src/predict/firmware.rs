//! What the firmware measures before it starts anything: by rule, or by its own log of an earlier boot (PCRs 0 to 7).

use uuid::Uuid;

use super::pcr4::CALLING;
use super::{PredictError, separator};
use crate::bank::Bank;
use crate::boot_path::FirmwareLog;
use crate::eventlog::LoggedEvent;
use crate::measurement::{Event, EventKind};
use crate::utf16;

/// What the firmware says when a boot option came back.
const RETURNING: &str = "Returning from EFI Application from Boot Option";
/// `EV_SEPARATOR`.
const SEPARATOR: u32 = 4;
/// `EV_EFI_BOOT_SERVICES_APPLICATION`.
const APPLICATION: u32 = 0x8000_0003;

/// PCR 4 up to the first image: by rule.
pub(super) fn boot_option(banks: &[Bank]) -> Vec<Event> {
    vec![
        Event::of(
            banks,
            4,
            EventKind::BootOption,
            format!("the firmware's action \"{CALLING}\""),
            CALLING.as_bytes(),
        ),
        separator(banks, 4),
    ]
}

/// What the log has of a register before the first boot option was started; of PCRs 0 to 3 and 6, which nothing else
/// extends, all of it.
pub(super) fn events(
    log: &FirmwareLog,
    pcr: u32,
    banks: &[Bank],
) -> Result<Vec<Event>, PredictError> {
    if pcr == 0 && log.locality() != 0 {
        return Err(PredictError::Pcr {
            pcr,
            why: "the log says that it does not start at zero but at a locality, which was never compared with a real machine",
        });
    }
    let before = before(log, pcr)?;
    Ok(before
        .iter()
        .map(|event| of_log(log, event, banks))
        .collect())
}

/// The events of a register up to the line between firmware and boot option.
pub(super) fn before(log: &FirmwareLog, pcr: u32) -> Result<Vec<&LoggedEvent>, PredictError> {
    let of_pcr = |event: &&LoggedEvent| event.pcr == pcr;
    let events = log.events();
    if matches!(pcr, 0..=3 | 6) {
        return Ok(events.iter().filter(of_pcr).collect());
    }
    let unlike = |why| PredictError::FirmwareLog { pcr, why };
    let says =
        |event: &LoggedEvent, text: &str| event.pcr == 4 && is_of(log, event, text.as_bytes());
    if events.iter().any(|event| says(event, RETURNING)) {
        return Err(unlike(
            "a boot option failed before the one that came up: boot again, so that the first one comes up",
        ));
    }
    let option = events.iter().position(|event| says(event, CALLING));
    let line = events
        .iter()
        .position(|event| event.pcr == pcr && event.event_type == SEPARATOR);
    let (Some(option), Some(line)) = (option, line) else {
        return Err(unlike(
            "it has no `Calling EFI Application from Boot Option` or no separator",
        ));
    };
    let between = events.get(option.min(line)..option.max(line));
    let started = |event: &LoggedEvent| event.pcr == 4 && event.event_type == APPLICATION;
    if between.unwrap_or_default().iter().any(started) {
        return Err(unlike(
            "an application stands between the firmware's action and its separator",
        ));
    }
    let end = option.max(line).saturating_add(1);
    Ok(events.iter().take(end).filter(of_pcr).collect())
}

/// Whether an event is of these bytes, in every bank in which the log leads to the machine's values.
pub(super) fn is_of(log: &FirmwareLog, event: &LoggedEvent, data: &[u8]) -> bool {
    log.banks()
        .iter()
        .all(|bank| event.digest(*bank) == Some(bank.hash(data)))
}

/// An event of the log, which will come again.
pub(super) fn of_log(log: &FirmwareLog, event: &LoggedEvent, banks: &[Bank]) -> Event {
    let known = banks.iter().filter(|bank| log.banks().contains(bank));
    Event {
        pcr: event.pcr,
        kind: EventKind::Firmware,
        why: format!("by the machine's own log: {}", event.describe()),
        digests: known.filter_map(|bank| event.digest(*bank)).collect(),
    }
}

/// A variable as the log has it: vendor, name, content.
pub(super) struct LoggedVariable<'a> {
    pub vendor: Uuid,
    pub name: String,
    pub content: &'a [u8],
}

/// Reads `UEFI_VARIABLE_DATA`.
pub(super) fn variable(data: &[u8]) -> Option<LoggedVariable<'_>> {
    let (vendor, rest) = data.split_at_checked(16)?;
    let (lengths, rest) = rest.split_at_checked(16)?;
    let (characters, length) = lengths.split_at_checked(8)?;
    let number = |bytes: &[u8]| {
        let bytes = bytes.try_into().ok()?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let (name, content) = rest.split_at_checked(number(characters)?.checked_mul(2)?)?;
    Some(LoggedVariable {
        vendor: Uuid::from_slice_le(vendor).ok()?,
        name: utf16::read(name)?,
        content: content.get(..number(length)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn reads_a_variable_of_any_bytes_without_panicking(bytes: Vec<u8>, name in 0..9_u64, content: u64) {
            let lengths = [name.to_le_bytes(), content.to_le_bytes()];
            let data = [&[0; 16], lengths.as_flattened(), &bytes].concat();
            let _ = (variable(&data), variable(&bytes));
        }
    }
}
