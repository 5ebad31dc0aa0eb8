//! What the firmware, or the host of a virtual machine, tells systemd.

use super::refusal::Refusal;
use crate::machine::Machine;

/// Where the kernel shows QEMU's `fw_cfg`, and systemd looks for credentials in it.
pub const QEMU: &str = "/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials";
/// The SMBIOS structures, one behind another, as the firmware made them. The kernel shows them without any module.
const TABLE: &str = "/sys/firmware/dmi/tables/DMI";
/// The largest table that is read, in bytes: twice what a 32 bit entry point can name.
const LIMIT: u64 = 1 << 24;
/// The structure of strings that the manufacturer is free to choose.
const OEM_STRINGS: u8 = 11;

/// The names of the credentials that SMBIOS strings bring.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub fn smbios_credentials(machine: &Machine) -> Result<Vec<String>, Refusal> {
    let table = machine.read(TABLE, LIMIT);
    let table = table.map_err(|source| Refusal::Unreadable {
        file: TABLE.to_owned(),
        source,
    })?;
    let strings = oem_strings(&table.unwrap_or_default());
    let names = strings.iter().filter_map(|string| {
        let string = String::from_utf8_lossy(string);
        let assignment = string
            .strip_prefix("io.systemd.credential:")
            .or_else(|| string.strip_prefix("io.systemd.credential.binary:"))?;
        let name = assignment
            .split_once('=')
            .map_or(assignment, |(name, _)| name);
        Some(name.to_owned())
    });
    Ok(names.collect())
}

/// All strings of all structures of type 11 that the kernel finds, and of those behind an end mark, where some firmware has more.
///
/// Source: DMTF DSP0134, "SMBIOS structure"; Linux, `dmi_decode_table`: what follows a structure that is cut off or too short is nothing.
pub fn oem_strings(table: &[u8]) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let mut rest = table;
    while let Some((kind, texts, next)) = structure(rest) {
        if kind == OEM_STRINGS {
            let texts = texts.split(|byte| *byte == 0);
            strings.extend(texts.filter(|text| !text.is_empty()).map(<[u8]>::to_vec));
        }
        rest = next;
    }
    strings
}

/// The first structure: its type, its strings, and what follows.
fn structure(table: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, length, _, _, ..] = *table else {
        return None;
    };
    let texts = table.get(usize::from(length)..).filter(|_| length >= 4)?;
    let end = texts.windows(2).position(|pair| pair == [0, 0])?;
    Some((kind, texts.get(..end)?, texts.get(end + 2..)?))
}
