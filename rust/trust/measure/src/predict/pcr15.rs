//! PCR 15: who the machine is, by stage 1's verifier and by systemd at run time.
//!
//! Source: systemd-pcrmachine.service(8); compared with systemd-pcrextend of systemd 257 and 262.

use super::{PredictError, not_compared};
use crate::bank::Bank;
use crate::boot_path::{BootPath, FileSystem};
use crate::measurement::{Event, EventKind};

/// The verified closure, the machine id, then the file systems in their order.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let Some(identity) = &boot.identity else {
        return Err(PredictError::Pcr {
            pcr: 15,
            why: "systemd extends it at run time with the machine's identity, which is not given",
        });
    };
    if boot.program.uki().is_none() {
        return Err(not_compared(
            15,
            "a boot without a UKI (systemd 257 measures nothing; 262 may)",
        ));
    }
    let mut words = Vec::new();
    if let Some(toplevel) = &identity.closure {
        let why = format!("stage 1 verified {toplevel}");
        words.push((why, format!("touchstone-closure:{toplevel}")));
    }
    let mut of_systemd = |word: String| words.push((format!("systemd's word {word:?}"), word));
    of_systemd(format!("machine-id:{}", identity.machine_id));
    for file_system in &identity.file_systems {
        of_systemd(word(file_system)?);
    }
    let event = |(why, word): (String, String)| {
        Event::of(banks, 15, EventKind::Identity, why, word.as_bytes())
    };
    Ok(words.into_iter().map(event).collect())
}

/// Mount point, then type, identifier and label of the file system, GUID, type and name of its partition: all empty where
/// there is no block device.
fn word(file_system: &FileSystem) -> Result<String, PredictError> {
    let FileSystem { path, partition } = file_system;
    let of = partition.clone().unwrap_or_default();
    let fields = [
        path,
        &of.file_system,
        &of.identifier,
        &of.label,
        &of.guid,
        &of.kind,
        &of.name,
    ];
    // systemd writes others otherwise than they are.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.+@".contains(&byte);
    if !fields.iter().all(|field| field.bytes().all(plain)) || !path.starts_with('/') {
        return Err(not_compared(
            15,
            "a file system with other characters than letters, digits and /-_.+@ in its path or names",
        ));
    }
    let whole = [&of.file_system, &of.guid, &of.kind]
        .into_iter()
        .all(|field| !field.is_empty());
    if partition.is_some() && !whole {
        return Err(not_compared(
            15,
            "a file system on a disk without partitions",
        ));
    }
    let fields = fields.map(String::as_str);
    Ok(format!("file-system:{}", fields.join(":")))
}
