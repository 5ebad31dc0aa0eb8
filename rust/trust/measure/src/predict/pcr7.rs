//! PCR 7: Secure Boot policy, and who vouches for what is started.
//!
//! Source: TCG PC Client Platform Firmware Profile, "PCR[7]"; order and content compared with OVMF and shim 16.1.

use uuid::{Uuid, uuid};

use super::authorities::{self, IMAGE_SECURITY, SHIM_LOCK, Voucher};
use super::{PredictError, firmware, loaded, separator};
use crate::bank::Bank;
use crate::boot_path::{BootPath, FirmwareLog, Shim, StartedImage, Variables};
use crate::eventlog::LoggedEvent;
use crate::measurement::{Event, EventKind};
use crate::utf16;

/// `EFI_GLOBAL_VARIABLE`: the vendor of SecureBoot, PK and KEK.
const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
/// `EV_EFI_VARIABLE_DRIVER_CONFIG`.
const CONFIGURATION: u32 = 0x8000_0001;
/// `EV_EFI_VARIABLE_AUTHORITY`.
const AUTHORITY: u32 = 0x8000_00e0;

/// The variables, the separator, each entry that lets an image start at its first use.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let variables = &boot.variables;
    check_keys(variables)?;
    let mut used = Used::default();
    let mut events = match &boot.firmware {
        Some(log) => by_log(log, variables, banks, &mut used)?,
        None => by_rule(variables, banks),
    };
    let by_firmware = match &boot.shim {
        Some(shim) => vec![&shim.image],
        None => loaded(boot).collect(),
    };
    if variables.secure_boot {
        for image in by_firmware {
            let vouchers = authorities::of_firmware(image, variables)?;
            events.extend(used.events(image, vouchers, banks));
        }
    }
    if let Some(shim) = &boot.shim {
        events.extend(of_shim(boot, shim, banks)?);
    }
    Ok(events)
}

/// Secure Boot can be on with keys alone.
fn check_keys(variables: &Variables) -> Result<(), PredictError> {
    let needed = [
        ("PK", &variables.pk),
        ("KEK", &variables.kek),
        ("db", &variables.db),
    ];
    match needed.into_iter().find(|(_, list)| list.is_empty()) {
        Some((variable, _)) if variables.secure_boot => Err(PredictError::NoKeys { variable }),
        _ => Ok(()),
    }
}

/// What the firmware measures of these variables by rule, in its order: `dbt` only where it is there.
fn configuration(variables: &Variables) -> Vec<(Uuid, &'static str, Vec<u8>)> {
    let mut all = vec![
        (GLOBAL, "SecureBoot", vec![u8::from(variables.secure_boot)]),
        (GLOBAL, "PK", variables.pk.clone()),
        (GLOBAL, "KEK", variables.kek.clone()),
        (IMAGE_SECURITY, "db", variables.db.clone()),
        (IMAGE_SECURITY, "dbx", variables.dbx.clone()),
    ];
    if !variables.dbt.is_empty() {
        all.push((IMAGE_SECURITY, "dbt", variables.dbt.clone()));
    }
    all
}

fn by_rule(variables: &Variables, banks: &[Bank]) -> Vec<Event> {
    let mut events: Vec<Event> = configuration(variables)
        .iter()
        .map(|(vendor, name, content)| variable(banks, vendor, name, content))
        .collect();
    events.push(separator(banks, 7));
    events
}

/// What the log has up to the boot option, with the variables as they are now or will be.
fn by_log(
    log: &FirmwareLog,
    variables: &Variables,
    banks: &[Bank],
    used: &mut Used,
) -> Result<Vec<Event>, PredictError> {
    let unlike = |why| PredictError::FirmwareLog { pcr: 7, why };
    let mut now = configuration(variables);
    let mut events = Vec::new();
    for event in firmware::before(log, 7)? {
        match event.event_type {
            CONFIGURATION => {
                let logged = variable_of(log, event)?;
                let place = now.iter().position(|(vendor, name, _)| {
                    (*vendor, *name) == (logged.vendor, &logged.name)
                });
                events.push(match place {
                    Some(place) => {
                        let (vendor, name, content) = now.remove(place);
                        variable(banks, &vendor, name, &content)
                    }
                    None if logged.vendor == IMAGE_SECURITY && logged.name == "dbt" => {
                        return Err(unlike("it has a variable dbt, and none is given"));
                    }
                    None => firmware::of_log(log, event, banks),
                });
            }
            AUTHORITY => {
                let logged = variable_of(log, event)?;
                if !authorities::holds_in_db(variables, logged.content)? {
                    return Err(unlike(
                        "a driver was started by an entry that is not in the given db",
                    ));
                }
                used.0
                    .push((logged.vendor, logged.name, logged.content.to_vec()));
                events.push(firmware::of_log(log, event, banks));
            }
            _ => events.push(firmware::of_log(log, event, banks)),
        }
    }
    match now.is_empty() {
        true => Ok(events),
        false => Err(unlike(
            "it lacks one of the variables SecureBoot, PK, KEK, db, dbx and dbt that are given",
        )),
    }
}

/// The variable in an event, whose digest must be that of the event's data.
fn variable_of<'a>(
    log: &FirmwareLog,
    event: &'a LoggedEvent,
) -> Result<firmware::LoggedVariable<'a>, PredictError> {
    let read = firmware::variable(&event.data).filter(|_| firmware::is_of(log, event, &event.data));
    read.ok_or(PredictError::FirmwareLog {
        pcr: 7,
        why: "the digest of a variable in it is not that of the bytes in it",
    })
}

/// shim's own measurements: the level that it enforces, then whoever vouches for what it loads. It does not know what
/// the firmware measured before.
fn of_shim(boot: &BootPath, shim: &Shim, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let on = boot.variables.secure_boot;
    let level = shim.sbat_level(on);
    let why = format!(
        "shim's variable SbatLevel: {:?}",
        String::from_utf8_lossy(level)
    );
    let data = variable_data(&SHIM_LOCK, "SbatLevel", level);
    let mut events = vec![Event::of(banks, 7, EventKind::Variable, why, &data)];
    let mut used = Used::default();
    if on {
        for image in loaded(boot).filter(|image| **image != shim.image) {
            let vouchers = authorities::of_shim(image, &boot.variables, shim)?;
            events.extend(used.events(image, vouchers, banks));
        }
    }
    Ok(events)
}

/// The entries that were measured: vendor, name and content.
#[derive(Default)]
struct Used(Vec<(Uuid, String, Vec<u8>)>);

impl Used {
    /// One event for each of these entries that was not used before.
    fn events(
        &mut self,
        image: &StartedImage,
        vouchers: Vec<Voucher>,
        banks: &[Bank],
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for Voucher {
            vendor,
            list,
            entry,
        } in vouchers
        {
            let bytes = entry.to_bytes();
            let data = variable_data(&vendor, list, &bytes);
            let key = (vendor, list.to_owned(), bytes);
            if !self.0.contains(&key) {
                self.0.push(key);
                let why = format!(
                    "the entry of {list}, owner {}, that lets {} start",
                    entry.owner, image.name
                );
                events.push(Event::of(banks, 7, EventKind::Authority, why, &data));
            }
        }
        events
    }
}

fn variable(banks: &[Bank], vendor: &Uuid, name: &str, content: &[u8]) -> Event {
    let what = match (name, content) {
        ("SecureBoot", [1]) => "Secure Boot is on".to_owned(),
        ("SecureBoot", _) => "Secure Boot is off".to_owned(),
        _ => format!("{} bytes of signature lists", content.len()),
    };
    let why = format!("the variable {name}: {what}");
    Event::of(
        banks,
        7,
        EventKind::Variable,
        why,
        &variable_data(vendor, name, content),
    )
}

/// `UEFI_VARIABLE_DATA`: vendor, lengths of name (in characters) and content, name without NUL, content.
fn variable_data(vendor: &Uuid, name: &str, content: &[u8]) -> Vec<u8> {
    let encoded = utf16::without_nul(name);
    let mut data = vendor.to_bytes_le().to_vec();
    data.extend((encoded.len() as u64 / 2).to_le_bytes());
    data.extend((content.len() as u64).to_le_bytes());
    data.extend(encoded);
    data.extend(content);
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secure_boot(value: u8) -> String {
        let event = variable(&[Bank::Sha256], &GLOBAL, "SecureBoot", &[value]);
        event.digests.get(Bank::Sha256).unwrap().to_string()
    }

    #[test]
    fn measures_the_state_of_secure_boot_as_every_firmware_does() {
        // Both digests are the same on all machines; they stand in published event logs.
        assert_eq!(
            [secure_boot(0), secure_boot(1)],
            [
                "115aa827dbccfb44d216ad9ecfda56bdea620b860a94bed5b7a27bba1c4d02d8",
                "ccfc4bb32888a345bc8aeadaba552b627d99348c767681ab3141f5b01e40a40e"
            ]
        );
    }

    #[test]
    fn measures_dbt_only_where_it_is() {
        let mut variables = Variables::default();
        assert_eq!(configuration(&variables).len(), 5);
        variables.dbt = vec![1];
        assert_eq!(configuration(&variables)[5].1, "dbt");
    }
}
