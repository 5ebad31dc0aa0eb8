//! Device paths, in the form of the UEFI specification where it is short.
//!
//! Source: UEFI specification, chapter "Device Path Protocol". Nodes that are not written out there or here are named by
//! their numbers.

use uuid::Uuid;

use super::describe::{ascii_text, utf16_text};
use super::reader::Reader;

/// Longer paths are cut: no firmware has one of so many nodes.
const LIMIT: usize = 32;

/// The path in words; none when it is empty or malformed.
pub(super) fn describe(path: &[u8]) -> Option<String> {
    let mut reader = Reader::new(path);
    let mut nodes: Vec<String> = Vec::new();
    while !reader.is_empty() && nodes.len() < LIMIT {
        let (kind, subkind, length) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let body = reader.take(usize::from(length).checked_sub(4)?)?;
        if kind == 0x7f {
            break;
        }
        nodes.push(node(kind, subkind, body).unwrap_or_else(|| format!("Path({kind},{subkind})")));
    }
    (!nodes.is_empty()).then(|| nodes.join("/"))
}

/// One node; none when it is not understood.
fn node(kind: u8, subkind: u8, body: &[u8]) -> Option<String> {
    match kind {
        1 => hardware(subkind, body),
        2 => acpi(subkind, body),
        3 => messaging(subkind, body),
        4 => media(subkind, body),
        5 => bios(subkind, body),
        _ => None,
    }
}

fn hardware(subkind: u8, body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body);
    Some(match subkind {
        1 => {
            let (function, device) = (reader.u8()?, reader.u8()?);
            format!("Pci({device:#x},{function:#x})")
        }
        3 => {
            reader.u32()?;
            format!("MemoryMapped({:#x},{:#x})", reader.u64()?, reader.u64()?)
        }
        4 => vendor("VenHw", &mut reader)?,
        _ => return None,
    })
}

fn acpi(subkind: u8, body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body);
    if subkind != 1 {
        return None;
    }
    let (hardware, identity) = (reader.u32()?, reader.u32()?);
    // EISA identifiers PNP0A03 and PNP0A08.
    Some(match hardware {
        0x0a03_41d0 => format!("PciRoot({identity:#x})"),
        0x0a08_41d0 => format!("PcieRoot({identity:#x})"),
        _ => format!("Acpi({hardware:#x},{identity:#x})"),
    })
}

fn messaging(subkind: u8, body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body);
    Some(match subkind {
        1 => {
            let (secondary, slave, unit) = (reader.u8()?, reader.u8()?, reader.u16()?);
            format!("Ata({secondary},{slave},{unit})")
        }
        2 => format!("Scsi({},{})", reader.u16()?, reader.u16()?),
        5 => format!("USB({},{})", reader.u8()?, reader.u8()?),
        10 => vendor("VenMsg", &mut reader)?,
        11 => {
            let address: [u8; 32] = reader.array()?;
            let short = address.get(..6)?;
            format!("MAC({})", data_encoding::HEXLOWER.encode(short))
        }
        12 => {
            let _local: [u8; 4] = reader.array()?;
            format!("IPv4({})", std::net::Ipv4Addr::from(reader.array::<4>()?))
        }
        13 => {
            let _local: [u8; 16] = reader.array()?;
            format!("IPv6({})", std::net::Ipv6Addr::from(reader.array::<16>()?))
        }
        18 => {
            let (port, multiplier, unit) = (reader.u16()?, reader.u16()?, reader.u16()?);
            format!("Sata({port},{multiplier:#x},{unit})")
        }
        20 => format!("Vlan({})", reader.u16()?),
        23 => {
            let namespace = reader.u32()?;
            let identity = data_encoding::HEXLOWER.encode(&reader.array::<8>()?);
            format!("NVMe({namespace:#x},{identity})")
        }
        24 => format!("Uri({})", ascii_text(reader.rest()).unwrap_or_default()),
        _ => return None,
    })
}

fn media(subkind: u8, body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body);
    Some(match subkind {
        1 => hard_drive(&mut reader)?,
        2 => format!("CDROM({})", reader.u32()?),
        3 => vendor("VenMedia", &mut reader)?,
        4 => utf16_text(body)?,
        6 => format!("FvFile({})", Uuid::from_bytes_le(reader.array()?)),
        7 => format!("Fv({})", Uuid::from_bytes_le(reader.array()?)),
        8 => {
            reader.u32()?;
            format!("Offset({:#x},{:#x})", reader.u64()?, reader.u64()?)
        }
        _ => return None,
    })
}

/// Partition number, start, size, signature (16 bytes), format, signature type.
fn hard_drive(reader: &mut Reader<'_>) -> Option<String> {
    let number = reader.u32()?;
    reader.take(16)?;
    let signature = reader.array::<16>()?;
    let (_, kind) = (reader.u8()?, reader.u8()?);
    let [a, b, c, d, ..] = signature;
    Some(match kind {
        1 => {
            let signature = u32::from_le_bytes([a, b, c, d]);
            format!("HD({number},MBR,{signature:#010x})")
        }
        _ => format!("HD({number},{})", Uuid::from_bytes_le(signature)),
    })
}

/// The BIOS Boot Specification: kind of device, flags, description.
fn bios(subkind: u8, body: &[u8]) -> Option<String> {
    let mut reader = Reader::new(body);
    if subkind != 1 {
        return None;
    }
    let (kind, _) = (reader.u16()?, reader.u16()?);
    let text = ascii_text(reader.rest()).unwrap_or_default();
    Some(format!("BBS({kind:#x},{text})"))
}

fn vendor(what: &str, reader: &mut Reader<'_>) -> Option<String> {
    Some(format!("{what}({})", Uuid::from_bytes_le(reader.array()?)))
}
