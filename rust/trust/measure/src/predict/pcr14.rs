//! PCR 14: the keys of the machine's owner, as shim uses them.
//!
//! Source: shim 16.1's `mok.c` (BSD-2-Clause) by its behaviour; order and content compared with real boots.

use super::PredictError;
use crate::bank::Bank;
use crate::boot_path::BootPath;
use crate::measurement::{Event, EventKind};

/// `MokList`, `MokListX` and `MokListTrusted`, the lists with what the vendor put in. Nothing without shim.
pub(super) fn events(boot: &BootPath, banks: &[Bank]) -> Result<Vec<Event>, PredictError> {
    let Some(shim) = &boot.shim else {
        return Ok(Vec::new());
    };
    let of = |why: &str, data: &[u8]| Event::of(banks, 14, EventKind::OwnerKeys, why, data);
    let owners = &shim.variables;
    Ok(vec![
        of(
            &format!(
                "MokList: the vendor's certificate, then the owner's {} bytes of signature lists",
                owners.mok_list.len()
            ),
            &shim.mok_list(),
        ),
        of(
            &format!(
                "MokListX: what the vendor denies, then the owner's {} bytes of signature lists",
                owners.mok_list_x.len()
            ),
            &shim.mok_list_x(),
        ),
        of("MokListTrusted: Linux may trust the owner's keys", &[1]),
    ])
}
