//! One line for each event. Everything here is the firmware's claim: the digests alone count.
//!
//! Source of the structures: TCG PC Client Platform Firmware Profile, "Event Descriptions".

mod disk;
mod firmware;
mod signatures;
mod text;
mod variable;

pub(super) use signatures::entries;
pub(super) use text::{ascii_text, printable, utf16_text};
pub(super) use variable::variable_parts;

use uuid::Uuid;

use super::names::{event, tag};
use super::reader::Reader;
use super::{LoggedEvent, SPEC_ID, SPEC_ID_03, STARTUP_LOCALITY, device_path};

/// What an H-CRTM event says.
const HCRTM: &[u8] = b"HCRTM";

/// What an event says, in one line.
pub(super) fn describe(logged: &LoggedEvent) -> String {
    let data = logged.data.as_slice();
    let text = structure(logged).unwrap_or_else(|| match logged.event_type {
        event::S_CRTM_VERSION => version(data),
        event::NO_ACTION => Some(no_action(data)),
        event::SEPARATOR => Some(separator(data)),
        event::EVENT_TAG => tagged(data),
        event::SPDM_FIRMWARE_BLOB | event::SPDM_FIRMWARE_CONFIG => firmware::device(data),
        _ => ascii_text(data).or_else(|| utf16_text(data)),
    });
    printable(&text.unwrap_or_else(|| bytes(data.len())))
}

/// Whether the data have the structure of the event's type; true where the type demands none.
pub(super) fn well_formed(logged: &LoggedEvent) -> bool {
    match logged.event_type {
        event::HCRTM => logged.data == HCRTM,
        event::EVENT_TAG => tagged_content(&logged.data).is_some(),
        _ => structure(logged).is_none_or(|read| read.is_some()),
    }
}

/// What a structure says that the type demands: the inner answer is none when it is not there, the outer one when the type
/// demands none.
fn structure(logged: &LoggedEvent) -> Option<Option<String>> {
    let data = logged.data.as_slice();
    Some(match logged.event_type {
        event::VARIABLE_DRIVER_CONFIG
        | event::VARIABLE_BOOT
        | event::VARIABLE_BOOT2
        | event::SPDM_DEVICE_POLICY => variable::describe(data),
        event::VARIABLE_AUTHORITY | event::SPDM_DEVICE_AUTHORITY => variable::authority(data),
        event::BOOT_SERVICES_APPLICATION..=event::RUNTIME_SERVICES_DRIVER => image(data),
        event::GPT | event::GPT2 => disk::partition_table(data),
        event::FIRMWARE_BLOB => firmware::blob(data),
        event::FIRMWARE_BLOB2 => firmware::named_blob(data),
        event::HANDOFF_TABLES => firmware::tables(data),
        event::HANDOFF_TABLES2 => firmware::named_tables(data),
        _ => return None,
    })
}

fn bytes(count: usize) -> String {
    match count {
        1 => "1 byte".to_owned(),
        count => format!("{count} bytes"),
    }
}

/// UTF-16 text, or a GUID, as EDK II and AMI write it.
fn version(data: &[u8]) -> Option<String> {
    let text = utf16_text(data).or_else(|| ascii_text(data));
    if let Some(text) = text {
        return Some(format!("firmware version {text:?}"));
    }
    match data {
        [0, 0] => Some("firmware version \"\"".to_owned()),
        _ => {
            let guid = Uuid::from_bytes_le(data.try_into().ok()?);
            Some(format!("firmware version {guid}"))
        }
    }
}

fn no_action(data: &[u8]) -> String {
    if data.starts_with(SPEC_ID_03) {
        return "header of a log with several banks".into();
    }
    if data.starts_with(SPEC_ID) {
        return "header of a log in the format of TPM 1.2".into();
    }
    if let Some([locality, ..]) = data.strip_prefix(STARTUP_LOCALITY) {
        return format!("started from locality {locality}");
    }
    let name = data.split(|byte| *byte == 0).next().and_then(ascii_text);
    match name {
        Some(name) if name.starts_with("SP800-155 Event") => {
            format!(
                "where to find the firmware's reference manifest, {}",
                bytes(data.len())
            )
        }
        Some(name) if name.starts_with("NvIndex") => {
            format!("an NV index of the TPM ({name}), {}", bytes(data.len()))
        }
        Some(name) => name,
        None => format!("information, {}", bytes(data.len())),
    }
}

fn separator(data: &[u8]) -> String {
    match data {
        [0, 0, 0, 0] | [0xff, 0xff, 0xff, 0xff] => "separator".into(),
        [1, 0, 0, 0] => "separator: the firmware reports an error".into(),
        _ => match ascii_text(data) {
            Some(text) => format!("separator with unusual content: {text}"),
            None => format!("separator with unusual content, {}", bytes(data.len())),
        },
    }
}

/// `TCG_PCClientTaggedEvent`: tag, length, data.
fn tagged_content(data: &[u8]) -> Option<(u32, &[u8])> {
    let mut reader = Reader::new(data);
    let id = reader.u32()?;
    let length = usize::try_from(reader.u32()?).ok()?;
    Some((id, reader.take(length)?))
}

/// The tag of a tagged event.
pub(super) fn tag_of(data: &[u8]) -> Option<u32> {
    tagged_content(data).map(|(id, _)| id)
}

fn tagged(data: &[u8]) -> Option<String> {
    let (id, content) = tagged_content(data)?;
    let text = ascii_text(content).or_else(|| utf16_text(content));
    let what = tag(id).map_or_else(|| format!("tag {id:#010x}"), str::to_owned);
    Some(text.map_or(what.clone(), |text| format!("{what}: {text}")))
}

/// `UEFI_IMAGE_LOAD_EVENT`: address, length, link address, length of the path, path. shim writes zeros for all of them.
fn image(data: &[u8]) -> Option<String> {
    let mut reader = Reader::new(data);
    let (_, size, _) = (reader.u64()?, reader.u64()?, reader.u64()?);
    let length = usize::try_from(reader.u64()?).ok()?;
    let path = device_path::describe(reader.take(length)?);
    let from = path.map_or_else(|| "from memory".to_owned(), |path| format!("from {path}"));
    Some(match size {
        0 => format!("image {from}, loaded by shim or another program"),
        size => format!("image of {size} bytes {from}"),
    })
}
