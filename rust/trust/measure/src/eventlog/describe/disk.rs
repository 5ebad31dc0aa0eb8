//! Partition tables (UEFI specification, "GUID Partition Table").

use uuid::{Uuid, uuid};

use super::utf16_text;
use crate::eventlog::reader::Reader;

/// Types of partitions by name: UEFI specification, and the Discoverable Partitions Specification (UAPI.2).
const TYPES: [(Uuid, &str); 11] = [
    (uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"), "ESP"),
    (uuid!("bc13c2ff-59e6-4262-a352-b275fd6f7172"), "XBOOTLDR"),
    (uuid!("0fc63daf-8483-4772-8e79-3d69d8477de4"), "Linux"),
    (uuid!("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"), "swap"),
    (uuid!("933ac7e1-2eb4-4f13-b844-0e14e2aef915"), "home"),
    (uuid!("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"), "root x86-64"),
    (uuid!("b921b045-1df0-41c3-af44-4c6f280d3fae"), "root arm64"),
    (uuid!("8484680c-9521-48c6-9c11-b0720656f69e"), "usr x86-64"),
    (
        uuid!("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5"),
        "root verity x86-64",
    ),
    (uuid!("21686148-6449-6e6f-744e-656564454649"), "BIOS boot"),
    (
        uuid!("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7"),
        "Microsoft data",
    ),
];

/// `UEFI_GPT_DATA`: the table's header, the number of its used entries, the entries.
pub(super) fn partition_table(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let header = reader.take(92)?;
    let count = reader.u64()?;
    let mut fields = Reader::new(header.get(56..)?);
    let disk = Uuid::from_bytes_le(fields.array()?);
    fields.take(12)?;
    let size = usize::try_from(fields.u32()?)
        .ok()
        .filter(|size| *size >= 128)?;
    let entries = reader.rest();
    let used = usize::try_from(count).ok()?.checked_mul(size)?;
    let entries = entries.get(..used)?.chunks_exact(size);
    let partitions: Vec<String> = entries.map(partition).collect::<Option<_>>()?;
    let text = match partitions.as_slice() {
        [] => "no partition".to_owned(),
        partitions => partitions.join(", "),
    };
    Some(format!("partition table of disk {disk}: {text}"))
}

/// `EFI_PARTITION_ENTRY`: type, identity, first and last block, attributes, name.
fn partition(entry: &[u8]) -> Option<String> {
    let mut reader = Reader::new(entry);
    let kind = Uuid::from_bytes_le(reader.array()?);
    let identity = Uuid::from_bytes_le(reader.array()?);
    reader.take(24)?;
    let name = reader.take(72)?;
    let known = TYPES.iter().find(|(guid, _)| *guid == kind);
    let kind = known.map_or_else(|| format!("type {kind}"), |(_, name)| (*name).to_owned());
    let name = utf16_text(until_nul(name)).filter(|name| !name.is_empty());
    let name = name.map_or_else(String::new, |name| format!(" {name:?}"));
    Some(format!("{kind}{name} {identity}"))
}

/// The characters before the first NUL.
fn until_nul(name: &[u8]) -> &[u8] {
    let end = name.chunks_exact(2).position(|unit| unit == [0, 0]);
    let end = end.and_then(|end| end.checked_mul(2));
    end.and_then(|end| name.get(..end)).unwrap_or(name)
}
