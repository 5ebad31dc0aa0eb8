//! Variables of the firmware, as they are measured.

use uuid::Uuid;

use super::{ascii_text, bytes, signatures, utf16_text};
use crate::eventlog::device_path;
use crate::eventlog::reader::Reader;

/// A measured variable (`UEFI_VARIABLE_DATA`).
pub(in crate::eventlog) struct Variable<'a> {
    /// Its name.
    pub(in crate::eventlog) name: String,
    /// Its content.
    pub(in crate::eventlog) content: &'a [u8],
}

/// The parts of a `UEFI_VARIABLE_DATA`: vendor, lengths of name (in characters) and content, name, content.
pub(in crate::eventlog) fn variable_parts(data: &[u8]) -> Option<Variable<'_>> {
    let mut reader = Reader::new(data);
    reader.array::<16>()?;
    let characters = usize::try_from(reader.u64()?).ok()?;
    let length = usize::try_from(reader.u64()?).ok()?;
    let name = utf16_text(reader.take(characters.checked_mul(2)?)?)?;
    let content = reader.take(length)?;
    Some(Variable { name, content })
}

pub(super) fn describe(data: &[u8]) -> Option<String> {
    let Variable { name, content } = variable_parts(data)?;
    let says = match content {
        [] => "absent or empty".to_owned(),
        content => says(&name, content).unwrap_or_else(|| bytes(content.len())),
    };
    Some(format!("variable {name}: {says}"))
}

/// What a variable's content says; none when it is not understood.
fn says(name: &str, content: &[u8]) -> Option<String> {
    match name {
        "SecureBoot" | "SetupMode" | "AuditMode" | "DeployedMode" | "VendorKeys" => switch(content),
        "PK" | "KEK" | "db" | "dbx" | "dbt" | "dbr" => signatures::summary(content),
        "BootOrder" | "DriverOrder" | "SysPrepOrder" | "PlatformRecoveryOrder" => order(content),
        "BootNext" | "BootCurrent" => order(content),
        "SbatLevel" => ascii_text(content),
        name if is_load_option(name) => load_option(content),
        _ => ascii_text(content)
            .filter(|text| text.len() > 1)
            .or_else(|| utf16_text(content).filter(|text| !text.is_empty())),
    }
}

fn switch(content: &[u8]) -> Option<String> {
    match content {
        [0] => Some("off".to_owned()),
        [1] => Some("on".to_owned()),
        _ => None,
    }
}

fn order(content: &[u8]) -> Option<String> {
    let (numbers, []) = content.as_chunks::<2>() else {
        return None;
    };
    let numbers = numbers
        .iter()
        .map(|number| format!("{:04X}", u16::from_le_bytes(*number)));
    Some(numbers.collect::<Vec<_>>().join(", "))
}

fn is_load_option(name: &str) -> bool {
    ["Boot", "Driver", "SysPrep", "PlatformRecovery"]
        .iter()
        .filter_map(|prefix| name.strip_prefix(prefix))
        .any(|number| number.len() == 4 && number.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `EFI_LOAD_OPTION`: attributes, length of the path, description, path, data for what is loaded.
fn load_option(content: &[u8]) -> Option<String> {
    let mut reader = Reader::new(content);
    let active = reader.u32()? & 1 == 1;
    let length = usize::from(reader.u16()?);
    let mut description = Vec::new();
    loop {
        match reader.array::<2>()? {
            [0, 0] => break,
            unit => description.extend(unit),
        }
    }
    let path = device_path::describe(reader.take(length)?);
    let mut text = utf16_text(&description).unwrap_or_default();
    if let Some(path) = path {
        text.push_str(&format!(" ({path})"));
    }
    if !active {
        text.push_str(", switched off");
    }
    let data = reader.rest();
    if !data.is_empty() {
        let options = utf16_text(data)
            .filter(|text| !text.trim().is_empty())
            .unwrap_or_else(|| bytes(data.len()));
        text.push_str(&format!(", with options: {options}"));
    }
    Some(text)
}

/// What let an image start: an entry of a signature database, or what shim measures beside.
pub(super) fn authority(data: &[u8]) -> Option<String> {
    let Variable { name, content } = variable_parts(data)?;
    let says = match name.as_str() {
        "db" | "dbx" | "MokList" | "MokListRT" | "MokListX" | "MokListTrusted" | "vendor_db"
        | "Shim" => signature(content),
        _ => ascii_text(content),
    };
    let says = says.unwrap_or_else(|| bytes(content.len()));
    Some(format!("authority {name}: {says}"))
}

/// `EFI_SIGNATURE_DATA`, or a certificate alone, which shim's own vendor certificate is.
fn signature(content: &[u8]) -> Option<String> {
    if let Some(subject) = signatures::subject(content) {
        return Some(format!("certificate {subject}"));
    }
    let mut reader = Reader::new(content);
    let owner = Uuid::from_bytes_le(reader.array()?);
    let entry = reader.rest();
    Some(match signatures::subject(entry) {
        Some(subject) => format!("certificate {subject}, owner {owner}"),
        None => format!("an entry of {}, owner {owner}", bytes(entry.len())),
    })
}
