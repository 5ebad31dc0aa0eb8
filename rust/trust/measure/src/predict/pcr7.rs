//! PCR 7: Secure Boot policy, and who vouches for what is started.
//!
//! Source: TCG PC Client Platform Firmware Profile, "PCR[7]"; order and content compared with OVMF.

use uuid::{Uuid, uuid};

use super::{PredictError, separator};
use crate::bank::Bank;
use crate::boot_path::{Authority, BootPath, StartedImage};
use crate::measurement::{Event, EventKind};
use crate::utf16;

/// `EFI_GLOBAL_VARIABLE`: the vendor of SecureBoot, PK and KEK.
const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`: the vendor of db and dbx.
const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");

/// The five variables, the separator, each entry of db at its first use.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let variables = &boot.variables;
    let on = variables.secure_boot;
    if on {
        for (variable, list) in [
            ("PK", &variables.pk),
            ("KEK", &variables.kek),
            ("db", &variables.db),
        ] {
            if list.is_empty() {
                return Err(PredictError::NoKeys { variable });
            }
        }
    }
    let state = if on { "on" } else { "off" };
    let mut events = vec![variable(
        banks,
        &GLOBAL,
        "SecureBoot",
        &[u8::from(on)],
        &format!("Secure Boot is {state}"),
    )];
    for (vendor, name, list) in [
        (&GLOBAL, "PK", &variables.pk),
        (&GLOBAL, "KEK", &variables.kek),
        (&IMAGE_SECURITY, "db", &variables.db),
        (&IMAGE_SECURITY, "dbx", &variables.dbx),
    ] {
        events.push(variable(
            banks,
            vendor,
            name,
            list,
            &format!("{} bytes of signature lists", list.len()),
        ));
    }
    events.push(separator(banks, 7));
    if on {
        events.extend(authorities(boot, banks)?);
    }
    Ok(events)
}

/// One event for each distinct entry of db, when the first image that it vouches for starts.
fn authorities(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let mut seen: Vec<&Authority> = Vec::new();
    let mut events = Vec::new();
    for StartedImage {
        name, authority, ..
    } in boot.images()
    {
        let authority = authority
            .as_ref()
            .ok_or_else(|| PredictError::NoAuthority {
                image: name.clone(),
            })?;
        if seen.contains(&authority) {
            continue;
        }
        seen.push(authority);
        let why = format!(
            "the entry of db, owner {}, that lets {name} start",
            authority.owner
        );
        let data = variable_data(&IMAGE_SECURITY, "db", &authority.to_bytes());
        events.push(Event::of(banks, 7, EventKind::Authority, why, &data));
    }
    Ok(events)
}

fn variable(banks: &[Bank], vendor: &Uuid, name: &str, content: &[u8], what: &str) -> Event {
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

    #[test]
    fn measures_secure_boot_off_as_every_firmware_does() {
        // The digest of `SecureBoot` = 0 is the same on all machines; it stands in published event logs.
        let event = variable(&[Bank::Sha256], &GLOBAL, "SecureBoot", &[0], "");
        assert_eq!(
            event.digests.get(Bank::Sha256).unwrap().to_string(),
            "115aa827dbccfb44d216ad9ecfda56bdea620b860a94bed5b7a27bba1c4d02d8"
        );
    }

    #[test]
    fn measures_secure_boot_on_as_every_firmware_does() {
        let event = variable(&[Bank::Sha256], &GLOBAL, "SecureBoot", &[1], "");
        assert_eq!(
            event.digests.get(Bank::Sha256).unwrap().to_string(),
            "ccfc4bb32888a345bc8aeadaba552b627d99348c767681ab3141f5b01e40a40e"
        );
    }
}
