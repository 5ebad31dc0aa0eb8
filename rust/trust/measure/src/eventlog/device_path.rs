//! Device paths, roughly: enough to tell one file from another.
//!
//! Source: UEFI specification, chapter "Device Path Protocol".

use uuid::Uuid;

use super::describe::utf16_text;
use super::reader::Reader;

/// The path in words: file names and partitions in full, other nodes by their kind; none when it is malformed.
pub(super) fn describe(path: &[u8]) -> Option<String> {
    let mut reader = Reader::new(path);
    let mut nodes: Vec<String> = Vec::new();
    while !reader.is_empty() {
        let (kind, subkind, length) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let body = reader.take(usize::from(length).checked_sub(4)?)?;
        match node(kind, subkind, body) {
            None => break,
            Some(text) => nodes.push(text),
        }
    }
    (!nodes.is_empty()).then(|| nodes.join("/"))
}

/// One node; none for the end.
fn node(kind: u8, subkind: u8, body: &[u8]) -> Option<String> {
    Some(match (kind, subkind) {
        (0x7f, _) => return None,
        (1, 1) => match body {
            [function, device, ..] => format!("Pci({device:x},{function:x})"),
            _ => "Pci".into(),
        },
        (1, _) => "Hardware".into(),
        (2, 1) => "PciRoot".into(),
        (2, _) => "Acpi".into(),
        (3, 1) => "Ata".into(),
        (3, 2) => "Scsi".into(),
        (3, 5) => "Usb".into(),
        (3, 0x12) => "Sata".into(),
        (3, 0x17) => "Nvme".into(),
        (3, _) => "Message".into(),
        (4, 1) => hard_drive(body).unwrap_or_else(|| "HD".into()),
        (4, 2) => "Cdrom".into(),
        (4, 4) => utf16_text(body).unwrap_or_default(),
        (4, 6) => firmware("FvFile", body),
        (4, 7) => firmware("Fv", body),
        (4, _) => "Media".into(),
        _ => format!("Node({kind:x},{subkind:x})"),
    })
}

/// Partition number, start, size, signature (16 bytes), format, signature type.
fn hard_drive(body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body);
    let number = reader.u32()?;
    reader.take(16)?;
    let signature = reader.array::<16>()?;
    Some(format!("HD({number},{})", Uuid::from_bytes_le(signature)))
}

fn firmware(what: &str, body: &[u8]) -> String {
    let guid = Reader::new(body).array::<16>().map(Uuid::from_bytes_le);
    guid.map_or_else(|| what.to_owned(), |guid| format!("{what}({guid})"))
}
