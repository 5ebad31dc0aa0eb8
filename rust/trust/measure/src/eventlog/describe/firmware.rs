//! Parts of the firmware, its tables, and devices.

use uuid::{Uuid, uuid};

use super::{ascii_text, bytes};
use crate::eventlog::reader::Reader;

/// Tables of the firmware by name (UEFI specification, "EFI Configuration Table").
const TABLES: [(Uuid, &str); 5] = [
    (uuid!("eb9d2d31-2d88-11d3-9a16-0090273fc14d"), "SMBIOS"),
    (uuid!("f2fd1544-9794-4a2c-992e-e5bbcf20e394"), "SMBIOS 3"),
    (uuid!("eb9d2d30-2d88-11d3-9a16-0090273fc14d"), "ACPI 1"),
    (uuid!("8868e871-e4f1-11d3-bc22-0080c73c8881"), "ACPI 2"),
    (uuid!("b1b621d5-f19c-41a5-830b-d9152c69aae0"), "device tree"),
];

/// `UEFI_PLATFORM_FIRMWARE_BLOB`: address and length.
pub(super) fn blob(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let (base, length) = (reader.u64()?, reader.u64()?);
    Some(format!("firmware, {length} bytes at {base:#x}"))
}

/// `UEFI_PLATFORM_FIRMWARE_BLOB2`: a description, address and length.
pub(super) fn named_blob(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let name = description(&mut reader)?;
    Some(format!("{} {name:?}", blob(reader.rest())?))
}

/// `UEFI_HANDOFF_TABLE_POINTERS`: a number, and for each table its GUID and address.
pub(super) fn tables(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let count = reader.u64()?;
    let entries = reader.rest();
    let length = usize::try_from(count).ok()?.checked_mul(24)?;
    let names: Vec<String> = entries
        .get(..length)?
        .chunks_exact(24)
        .map(table)
        .collect::<Option<_>>()?;
    Some(match names.as_slice() {
        [] => "no table of the firmware".to_owned(),
        names => format!("tables of the firmware: {}", names.join(", ")),
    })
}

/// `UEFI_HANDOFF_TABLE_POINTERS2`: a description before the same.
pub(super) fn named_tables(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let name = description(&mut reader)?;
    Some(format!("{} {name:?}", tables(reader.rest())?))
}

fn table(entry: &[u8]) -> Option<String> {
    let guid = Uuid::from_bytes_le(Reader::new(entry).array()?);
    let known = TABLES.iter().find(|(table, _)| *table == guid);
    Some(known.map_or_else(|| guid.to_string(), |(_, name)| (*name).to_owned()))
}

/// A length in bytes and a text of that length.
fn description(reader: &mut Reader<'_>) -> Option<String> {
    let length = usize::from(reader.u8()?);
    let text = reader.take(length)?;
    Some(ascii_text(text).unwrap_or_default())
}

/// `DEVICE_SECURITY_EVENT_DATA`: what a device said of itself by SPDM.
pub(super) fn device(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let signature = reader.take(16)?;
    if !signature.starts_with(b"SPDM Device Sec") {
        return None;
    }
    let version = reader.u16()?;
    Some(format!(
        "a device's own measurements (SPDM), version {version}, {}",
        bytes(data.len())
    ))
}
