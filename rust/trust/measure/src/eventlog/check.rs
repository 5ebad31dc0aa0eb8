//! What must hold between the events of a log.
//!
//! Source: TCG PC Client Platform Firmware Profile, "Startup Locality Event", `EV_EFI_HCRTM_EVENT` and "Event Logging".

use super::error::EventLogError;
use super::names::event;
use super::{EventLog, LoggedEvent, STARTUP_LOCALITY};

/// The registers of a TPM of a PC (TCG PC Client Platform TPM Profile): 0 to 23.
const REGISTERS: u32 = 24;
/// Registers that begin with ones and are reset by a dynamic launch (the same, "PCR Attributes").
const DYNAMIC: std::ops::RangeInclusive<u32> = 17..=22;
/// The locality from which an H-CRTM is measured.
pub(super) const HCRTM_LOCALITY: u8 = 4;

/// Refuses a log whose events contradict one another.
pub(super) fn check(log: &EventLog) -> Result<(), EventLogError> {
    let numbered = || log.events.iter().enumerate();
    for (number, event) in numbered().filter(|(_, event)| event.extends()) {
        register(number, event.pcr)?;
    }
    beginning_of_pcr_0(log)?;
    banks(log)
}

/// An event that extends nothing may name any register: firmware writes 0xffffffff into some.
fn register(event: usize, pcr: u32) -> Result<(), EventLogError> {
    match pcr {
        pcr if pcr >= REGISTERS => Err(EventLogError::Register { event, pcr }),
        pcr if DYNAMIC.contains(&pcr) => Err(EventLogError::DynamicRegister { event, pcr }),
        _ => Ok(()),
    }
}

/// Startup locality and H-CRTM decide with what PCR 0 begins: each is there once, and before anything else.
fn beginning_of_pcr_0(log: &EventLog) -> Result<(), EventLogError> {
    let (mut noted, mut hcrtm, mut extended) = (None, false, false);
    for (number, logged) in log.events.iter().enumerate() {
        if let Some(locality) = locality(number, logged)? {
            if noted.is_some() {
                return Err(EventLogError::LocalityTwice { event: number });
            }
            if extended {
                return Err(EventLogError::LocalityLate { event: number });
            }
            noted = Some((number, locality));
        }
        if logged.event_type == event::HCRTM {
            if extended || logged.pcr != 0 {
                return Err(EventLogError::Hcrtm { event: number });
            }
            if let Some((_, locality)) = noted.filter(|(_, noted)| *noted != HCRTM_LOCALITY) {
                return Err(EventLogError::HcrtmLocality {
                    event: number,
                    locality,
                });
            }
            hcrtm = true;
        }
        extended |= logged.extends() && logged.pcr == 0;
    }
    match noted {
        Some((event, HCRTM_LOCALITY)) if !hcrtm => {
            Err(EventLogError::LocalityWithoutHcrtm { event })
        }
        _ => Ok(()),
    }
}

/// The startup locality that an event notes.
fn locality(number: usize, logged: &LoggedEvent) -> Result<Option<u8>, EventLogError> {
    let Some(rest) = logged.data.strip_prefix(STARTUP_LOCALITY) else {
        return Ok(None);
    };
    if logged.extends() {
        return Ok(None);
    }
    match rest {
        [locality @ (0 | 3 | HCRTM_LOCALITY)] if logged.pcr == 0 => Ok(Some(*locality)),
        [locality] if logged.pcr == 0 => Err(EventLogError::Locality {
            event: number,
            locality: *locality,
        }),
        _ => Err(EventLogError::LocalityForm { event: number }),
    }
}

/// Every event that extends has digests of the same algorithms. They may be fewer than announced: OVMF announces what it
/// was built with, and measures into the banks that the TPM has.
fn banks(log: &EventLog) -> Result<(), EventLogError> {
    let extending = || {
        let numbered = log.events.iter().enumerate();
        numbered.filter(|(_, event)| event.extends())
    };
    for (algorithm, _) in &log.algorithms {
        let has = |event: &LoggedEvent| event.digests.iter().any(|(of, _)| of == algorithm);
        let lacking = extending().find(|(_, event)| !has(event));
        if let Some((event, _)) = lacking
            && extending().any(|(_, event)| has(event))
        {
            return Err(EventLogError::MissingDigest {
                event,
                algorithm: *algorithm,
            });
        }
    }
    Ok(())
}
