//! Option ROMs: the drivers on cards, such as graphics, that firmware runs only when db allows them. A machine's event log shows
//! which ones it ran.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use touchstone_measure::Bank;
use touchstone_measure::eventlog::EventLogError;

use crate::{Error, Files, eventlog};

/// The register that option ROMs are measured into (TCG PC Client Platform Firmware Profile, "PCR usage").
const PCR: u32 = 2;
/// The types of their events.
const DRIVERS: [&str; 2] = [
    "EV_EFI_BOOT_SERVICES_DRIVER",
    "EV_EFI_RUNTIME_SERVICES_DRIVER",
];

/// A driver that a machine's firmware ran from a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptionRom {
    /// Its Authenticode SHA-256 digest, in hex.
    pub sha256: String,
    /// What the firmware says of it: its size and where it came from.
    pub what: String,
    #[serde(skip)]
    pub(super) digest: [u8; 32],
}

/// The option ROMs in an event log, each once.
///
/// # Errors
/// [`Error::Open`], or [`Error::EventLog`] when it is no event log or has no SHA-256 digests.
pub(super) fn read(files: &dyn Files, path: &Path) -> Result<Vec<OptionRom>, Error> {
    let log = eventlog::read(files, path)?;
    let mut roms: Vec<OptionRom> = Vec::new();
    for (event, logged) in log.events.iter().enumerate() {
        if logged.pcr != PCR || !DRIVERS.contains(&logged.type_name().as_str()) {
            continue;
        }
        let digest = logged
            .digest(Bank::Sha256)
            .and_then(|digest| <[u8; 32]>::try_from(digest.as_bytes()).ok())
            .ok_or_else(|| {
                let bank = Bank::Sha256;
                eventlog::refused(path, EventLogError::NoDigest { event, bank })
            })?;
        if roms.iter().all(|rom| rom.digest != digest) {
            roms.push(OptionRom {
                sha256: crate::hex(&digest),
                what: logged.describe(),
                digest,
            });
        }
    }
    Ok(roms)
}

/// The digests of option ROMs.
pub(super) fn digests(roms: &[OptionRom]) -> Vec<[u8; 32]> {
    roms.iter().map(|rom| rom.digest).collect()
}
