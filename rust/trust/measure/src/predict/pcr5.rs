//! PCR 5: the disk that is booted, the boot loader's settings, the end of the boot services.
//!
//! Source: TCG PC Client Platform Firmware Profile, "PCR[5]"; systemd-boot 257 and 262 by their behaviour; order and
//! content compared with OVMF.

use super::{PredictError, firmware, separator};
use crate::bank::Bank;
use crate::boot_path::{BootPath, FirmwareLog, Medium};
use crate::measurement::{Event, EventKind};
use crate::version::Release;

/// `EV_EFI_GPT_EVENT`.
const PARTITION_TABLE: u32 = 0x8000_0006;
const INVOCATION: &str = "Exit Boot Services Invocation";
const FAILURE: &str = "Exit Boot Services Returned with Failure";
const SUCCESS: &str = "Exit Boot Services Returned with Success";

/// The firmware's part, the partition table, `loader.conf`, the attempts to end the boot services.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let medium = boot.medium.as_ref().ok_or(PredictError::NoMedium)?;
    let of = |kind, why: String, data: &[u8]| Event::of(banks, 5, kind, why, data);
    let mut table = match medium {
        Medium::Disk { partition_table } => {
            let why = "the partition table: header, number of used entries, used entries";
            Some(of(
                EventKind::PartitionTable,
                why.to_owned(),
                partition_table,
            ))
        }
        Medium::Cd => None,
    };
    let mut events = match &boot.firmware {
        Some(log) => before(log, banks, &mut table)?,
        None => vec![separator(banks, 5)],
    };
    events.extend(table);
    let loader = boot.loader.as_ref();
    if let Some(configuration) = loader
        .filter(|loader| loader.version.release > Release::V252)
        .and_then(|loader| loader.configuration.as_ref())
    {
        let why = format!("loader/loader.conf ({} bytes)", configuration.len());
        events.push(of(EventKind::LoaderConfiguration, why, configuration));
    }
    let failed = match &boot.firmware {
        Some(log) => failed_exits(log)?,
        None => boot.failed_exits,
    };
    let action = |text: &str| {
        of(
            EventKind::ExitBootServices,
            format!("the firmware's action \"{text}\""),
            text.as_bytes(),
        )
    };
    for _ in 0..failed {
        events.extend([action(INVOCATION), action(FAILURE)]);
    }
    events.extend([action(INVOCATION), action(SUCCESS)]);
    Ok(events)
}

/// What the log has up to the separator, with the partition table of the medium where a driver was started from it: it
/// is measured once.
fn before(
    log: &FirmwareLog,
    banks: &[Bank],
    table: &mut Option<Event>,
) -> Result<Vec<Event>, PredictError> {
    let logged = firmware::before(log, 5)?;
    let tables = logged
        .iter()
        .filter(|event| event.event_type == PARTITION_TABLE);
    if tables.count() > usize::from(table.is_some()) {
        return Err(PredictError::FirmwareLog {
            pcr: 5,
            why: "it has partition tables of more than one disk before the boot option, which was never compared with a real machine",
        });
    }
    let events = logged.into_iter().map(|event| match event.event_type {
        PARTITION_TABLE => table
            .take()
            .unwrap_or_else(|| firmware::of_log(log, event, banks)),
        _ => firmware::of_log(log, event, banks),
    });
    Ok(events.collect())
}

/// How often this firmware refuses to end the boot services before it does: by the end of its log.
fn failed_exits(log: &FirmwareLog) -> Result<u32, PredictError> {
    let of_pcr: Vec<_> = log.events().iter().filter(|event| event.pcr == 5).collect();
    let mut attempts = of_pcr.rchunks_exact(2);
    let is = |pair: &[&_], result: &str| {
        matches!(pair, [first, second]
            if firmware::is_of(log, first, INVOCATION.as_bytes()) && firmware::is_of(log, second, result.as_bytes()))
    };
    if !attempts.next().is_some_and(|last| is(last, SUCCESS)) {
        return Err(PredictError::FirmwareLog {
            pcr: 5,
            why: "it does not end with the end of the boot services: read the log of a system that is up",
        });
    }
    let failed = attempts.take_while(|pair| is(pair, FAILURE)).count();
    Ok(u32::try_from(failed).unwrap_or(u32::MAX))
}
