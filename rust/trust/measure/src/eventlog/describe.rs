//! One line for each event. Everything here is the firmware's claim: the digests alone count.

use uuid::Uuid;

use super::names::{event, tag};
use super::reader::Reader;
use super::{LoggedEvent, SPEC_ID_03, STARTUP_LOCALITY, device_path};

/// Longer texts are cut.
const LIMIT: usize = 300;

/// What an event says, in one line.
pub(super) fn describe(logged: &LoggedEvent) -> String {
    let data = logged.data.as_slice();
    let text = match logged.event_type {
        event::NO_ACTION => Some(no_action(data)),
        event::SEPARATOR => Some(separator(data)),
        event::ACTION | event::EFI_ACTION | event::POST_CODE => ascii_text(data),
        event::EVENT_TAG => tagged(data),
        event::S_CRTM_VERSION => utf16_text(data).map(|text| format!("firmware version {text:?}")),
        event::IPL => utf16_text(data).or_else(|| ascii_text(data)),
        event::VARIABLE_DRIVER_CONFIG | event::VARIABLE_BOOT | event::VARIABLE_BOOT2 => {
            variable(data)
        }
        event::VARIABLE_AUTHORITY => authority(data),
        event::BOOT_SERVICES_APPLICATION..=event::RUNTIME_SERVICES_DRIVER => image(data),
        event::GPT | event::GPT2 => partition_table(data),
        event::FIRMWARE_BLOB => blob(data),
        event::FIRMWARE_BLOB2 => named_blob(data),
        _ => utf16_text(data).or_else(|| ascii_text(data)),
    };
    let text = text.unwrap_or_else(|| format!("{} bytes", data.len()));
    printable(&text)
}

/// UTF-16LE text with or without NUL at its end; none when it is something else.
pub(super) fn utf16_text(data: &[u8]) -> Option<String> {
    let (pairs, []) = data.as_chunks::<2>() else {
        return None;
    };
    let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    let text = String::from_utf16(&units).ok()?;
    let text = text.trim_end_matches('\0');
    // Pairs of ASCII letters make valid UTF-16 as well: text has units below 256, mostly.
    let plausible = units.iter().filter(|unit| **unit < 0x100).count() * 2 > units.len();
    (plausible && !text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
}

/// ASCII text with or without NUL at its end; none when it is something else.
fn ascii_text(data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data).ok()?.trim_end_matches('\0');
    let readable = |c: char| !c.is_control() || c == '\n' || c == '\t';
    (!text.is_empty() && text.chars().all(readable)).then(|| text.to_owned())
}

fn printable(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LIMIT)
        .collect();
    if text.chars().count() > LIMIT {
        format!("{line}…")
    } else {
        line
    }
}

fn no_action(data: &[u8]) -> String {
    if data.starts_with(SPEC_ID_03) {
        return "header of a log with several banks".into();
    }
    if let Some([locality, ..]) = data.strip_prefix(STARTUP_LOCALITY) {
        return format!("started from locality {locality}");
    }
    let name = data.split(|byte| *byte == 0).next().and_then(ascii_text);
    name.unwrap_or_else(|| format!("information, {} bytes", data.len()))
}

fn separator(data: &[u8]) -> String {
    match data {
        [0, 0, 0, 0] | [0xff, 0xff, 0xff, 0xff] => "separator".into(),
        [1, 0, 0, 0] => "separator: the firmware reports an error".into(),
        _ => format!("separator with unusual content, {} bytes", data.len()),
    }
}

/// `TCG_PCClientTaggedEvent`: tag, length, data.
fn tagged(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let id = reader.u32()?;
    let length = usize::try_from(reader.u32()?).ok()?;
    let content = reader.take(length)?;
    let text = utf16_text(content).or_else(|| ascii_text(content));
    let what = tag(id).map_or_else(|| format!("tag {id:#010x}"), str::to_owned);
    Some(text.map_or(what.clone(), |text| format!("{what}: {text}")))
}

/// `UEFI_VARIABLE_DATA`: vendor, name and content.
fn variable_parts(data: &[u8]) -> Option<(Uuid, String, &[u8])> {
    let mut reader = Reader::new(data);
    let vendor = Uuid::from_bytes_le(reader.array()?);
    let characters = usize::try_from(reader.u64()?).ok()?;
    let length = usize::try_from(reader.u64()?).ok()?;
    let name = utf16_text(reader.take(characters.checked_mul(2)?)?)?;
    Some((vendor, name, reader.take(length)?))
}

fn variable(data: &[u8]) -> Option<String> {
    let (_, name, content) = variable_parts(data)?;
    Some(match (name.as_str(), content) {
        ("SecureBoot", [0]) => "variable SecureBoot: off".into(),
        ("SecureBoot", [1]) => "variable SecureBoot: on".into(),
        (_, []) => format!("variable {name}: absent or empty"),
        _ if is_boot_option(&name) => match boot_option(content) {
            Some(option) => format!("variable {name}: {option}"),
            None => format!("variable {name}: {} bytes", content.len()),
        },
        _ => format!("variable {name}: {} bytes", content.len()),
    })
}

fn is_boot_option(name: &str) -> bool {
    name.strip_prefix("Boot")
        .is_some_and(|number| number.len() == 4 && number.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `EFI_LOAD_OPTION`: attributes, length of the path, description, path.
fn boot_option(content: &[u8]) -> Option<String> {
    let mut reader = Reader::new(content);
    reader.u32()?;
    let length = usize::from(reader.u16()?);
    let mut description = Vec::new();
    loop {
        match reader.array::<2>()? {
            [0, 0] => break,
            unit => description.extend(unit),
        }
    }
    let path = device_path::describe(reader.take(length)?);
    let description = utf16_text(&description).unwrap_or_default();
    Some(path.map_or(description.clone(), |path| {
        format!("{description} ({path})")
    }))
}

/// The entry of a signature database that let an image start.
fn authority(data: &[u8]) -> Option<String> {
    let (_, name, content) = variable_parts(data)?;
    if !matches!(
        name.as_str(),
        "db" | "MokListRT" | "MokList" | "Shim" | "vendor_db"
    ) {
        let text = ascii_text(content).unwrap_or_else(|| format!("{} bytes", content.len()));
        return Some(format!("authority {name}: {text}"));
    }
    let mut reader = Reader::new(content);
    let owner = Uuid::from_bytes_le(reader.array()?);
    Some(format!(
        "authority: an entry of {name}, owner {owner}, {} bytes",
        reader.rest().len()
    ))
}

/// `UEFI_IMAGE_LOAD_EVENT`: address, length, link address, length of the path, path.
fn image(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let (_, size, _) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let length = usize::try_from(reader.u64()?).ok()?;
    let path = device_path::describe(reader.take(length)?);
    let from = path.map_or_else(|| "from memory".to_owned(), |path| format!("from {path}"));
    Some(format!("image of {size} bytes {from}"))
}

/// `UEFI_GPT_DATA`: the table's header, the number of its used entries, the entries.
fn partition_table(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let header = reader.take(92)?;
    let count = reader.u64()?;
    let disk = Reader::new(header.get(56..)?)
        .array()
        .map(Uuid::from_bytes_le)?;
    Some(format!(
        "partition table of disk {disk}, {count} partitions"
    ))
}

/// `UEFI_PLATFORM_FIRMWARE_BLOB`: address and length.
fn blob(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let (base, length) = (reader.u64()?, reader.u64()?);
    Some(format!("firmware, {length} bytes at {base:#x}"))
}

/// `UEFI_PLATFORM_FIRMWARE_BLOB2`: a description, address and length.
fn named_blob(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let length = usize::from(reader.u8()?);
    let name = ascii_text(reader.take(length)?).unwrap_or_default();
    Some(format!("{} {name:?}", blob(reader.rest())?))
}
