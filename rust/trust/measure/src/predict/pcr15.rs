//! PCR 15: who the machine is, by systemd at run time.
//!
//! Source: systemd-pcrmachine.service(8); compared with systemd-pcrextend of systemd 257 and 262.

use super::{PredictError, not_compared};
use crate::bank::Bank;
use crate::boot_path::{BootPath, FileSystem};
use crate::measurement::{Event, EventKind};

/// The machine id, then the file systems in their order.
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
    let mut words = vec![format!("machine-id:{}", identity.machine_id)];
    for file_system in &identity.file_systems {
        words.push(word(file_system)?);
    }
    let event = |word: &String| {
        let why = format!("systemd's word {word:?}");
        Event::of(banks, 15, EventKind::Identity, why, word.as_bytes())
    };
    Ok(words.iter().map(event).collect())
}

/// Mount point, then type, identifier, label of the file system and identifier, type, label of its partition, which a file
/// system without a block device has not.
fn word(file_system: &FileSystem) -> Result<String, PredictError> {
    if file_system.on_block_device {
        return Err(not_compared(15, "a file system on a block device"));
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.+@".contains(&byte);
    if !file_system.path.starts_with('/') || !file_system.path.bytes().all(plain) {
        return Err(not_compared(
            15,
            "a mount point with other characters than letters, digits and /-_.+@",
        ));
    }
    Ok(format!("file-system:{}::::::", file_system.path))
}
