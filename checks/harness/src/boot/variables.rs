//! The firmware's variable store: an empty one of edk2, and the variables of Secure Boot put in.
//!
//! Source: edk2's `MdeModulePkg/Include/Guid/VariableFormat.h` and the PI specification's firmware volume header. The bytes
//! are those of `virt-fw-vars --set-json` (a check compares them).

use anyhow::{Result, bail, ensure};
use uuid::{Uuid, uuid};

use super::gpt;

/// Secure Boot's variables, each as the exact bytes of its `EFI_SIGNATURE_LIST`s, without an authentication header.
/// These are the bytes that the firmware measures in PCR 7; an empty value leaves the variable out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    /// Platform key. Without one the firmware stays in setup mode, where Secure Boot is off.
    pub pk: Vec<u8>,
    /// Key exchange keys.
    pub kek: Vec<u8>,
    /// What may start.
    pub db: Vec<u8>,
    /// What may not.
    pub dbx: Vec<u8>,
    /// Whether Secure Boot is on.
    pub secure_boot: bool,
}

/// A further variable, kept between boots; nothing authenticates it. Those of the firmware's own namespace are seen by the running
/// system, others by boot services alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootVariable {
    /// The name.
    pub name: String,
    /// Whose namespace it is in.
    pub vendor: Uuid,
    /// The value.
    pub data: Vec<u8>,
}

impl BootVariable {
    /// The minimum generations of boot components that shim enforces, as text: `sbat,1,DATE` and a line for each
    /// component. shim replaces them by its own when those have a later date.
    #[must_use]
    pub fn sbat_level(text: &str) -> BootVariable {
        BootVariable {
            name: "SbatLevel".to_owned(),
            vendor: SHIM_LOCK,
            data: text.as_bytes().to_vec(),
        }
    }

    /// Boot options of the firmware, in the order in which it tries them: what a person calls each, and the path of its program on
    /// the ESP, with `/`.
    #[must_use]
    pub fn boot_options(options: &[(&str, &str)]) -> Vec<BootVariable> {
        let global = |name: String, data| BootVariable {
            name,
            vendor: GLOBAL,
            data,
        };
        let numbers = 1..=u16::try_from(options.len()).unwrap_or(u16::MAX);
        let order = numbers.clone().flat_map(u16::to_le_bytes).collect();
        let options = numbers.zip(options).map(|(number, (title, path))| {
            global(format!("Boot{number:04X}"), load_option(title, path))
        });
        let mut variables: Vec<BootVariable> = options.collect();
        variables.push(global("BootOrder".to_owned(), order));
        variables
    }
}

/// `EFI_LOAD_OPTION` (UEFI specification 2.10, section 3.1.3), active: a file on the partition of [`gpt`], which firmware finds by
/// its GUID wherever it is.
fn load_option(title: &str, path: &str) -> Vec<u8> {
    let file = utf16(&format!("\\{}", path.replace('/', "\\")));
    // Section 10.3.5.1: partition 1, where it begins, its size (not looked at), GUID, a GUID partition table, a GUID.
    let mut partition = 1_u32.to_le_bytes().to_vec();
    partition.extend(gpt::FIRST.to_le_bytes());
    partition.extend(0_u64.to_le_bytes());
    partition.extend(gpt::PARTITION.to_bytes_le());
    partition.extend([2, 2]);
    let nodes = [(4, 1, partition), (4, 4, file), (0x7f, 0xff, Vec::new())];
    let device_path = nodes.into_iter().flat_map(|(kind, subkind, content)| {
        let length = u16::try_from(content.len() + 4).unwrap_or(u16::MAX);
        [vec![kind, subkind], length.to_le_bytes().to_vec(), content].concat()
    });
    let device_path: Vec<u8> = device_path.collect();
    let mut option = 1_u32.to_le_bytes().to_vec();
    let length = u16::try_from(device_path.len()).unwrap_or(u16::MAX);
    option.extend(length.to_le_bytes());
    option.extend(utf16(title));
    option.extend(device_path);
    option
}

/// With its NUL.
fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

/// `EFI_GLOBAL_VARIABLE`.
const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`.
const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
/// `gEfiSecureBootEnableDisableGuid`, edk2's own switch.
const SECURE_BOOT_ENABLE: Uuid = uuid!("f0a30bc7-af08-4556-99c4-001009c93a44");
/// `SHIM_LOCK_GUID`, shim's namespace.
const SHIM_LOCK: Uuid = uuid!("605dab50-e046-4300-abb6-3dd810dd8b23");
/// Attributes (non-volatile, boot, runtime, time-based authenticated write) and `EFI_TIME` of a key: enrolled on
/// 2020-01-01, so that a store is the same each time.
const KEY: (u32, [u8; 16]) = (0x27, [0xe4, 0x07, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
/// Attributes (non-volatile, boot) of the switch and of what nothing authenticates, which have no time.
const SWITCH: (u32, [u8; 16]) = (0x03, [0; 16]);

/// The same, for a running system as well.
const AT_RUNTIME: (u32, [u8; 16]) = (0x07, [0; 16]);

/// `EFI_SYSTEM_NV_DATA_FV_GUID`, at this offset of the firmware volume's header.
const VOLUME: (usize, Uuid) = (16, uuid!("fff12b8d-7696-4c8b-a985-2747075b4f50"));
/// `EFI_AUTHENTICATED_VARIABLE_GUID`, first in the store's header.
const STORE: Uuid = uuid!("aaf32c78-947b-439a-a180-2e144ec37792");
/// Offset of the volume header's own length.
const VOLUME_LENGTH: usize = 48;
/// Bytes of a store's header.
const STORE_HEADER: usize = 28;

/// The store `empty` with the variables in it.
///
/// # Errors
/// When `empty` is no empty variable store of edk2, or too small.
pub fn enrol(empty: &[u8], wanted: &Variables) -> Result<Vec<u8>> {
    fill(empty, wanted, &[])
}

/// The same with further variables.
pub(super) fn fill(empty: &[u8], wanted: &Variables, others: &[BootVariable]) -> Result<Vec<u8>> {
    let (first, end) = room(empty)?;
    let switch = vec![u8::from(wanted.secure_boot)];
    let mut records = Vec::new();
    for (name, vendor, kind, data) in [
        ("KEK", GLOBAL, KEY, &wanted.kek),
        ("PK", GLOBAL, KEY, &wanted.pk),
        ("SecureBootEnable", SECURE_BOOT_ENABLE, SWITCH, &switch),
        ("db", IMAGE_SECURITY, KEY, &wanted.db),
        ("dbx", IMAGE_SECURITY, KEY, &wanted.dbx),
    ] {
        if !data.is_empty() {
            add(&mut records, name, vendor, kind, data)?;
        }
    }
    for other in others {
        let kind = if other.vendor == GLOBAL {
            AT_RUNTIME
        } else {
            SWITCH
        };
        add(&mut records, &other.name, other.vendor, kind, &other.data)?;
    }

    let mut store = empty.to_vec();
    match store
        .get_mut(first..end)
        .and_then(|room| room.get_mut(..records.len()))
    {
        Some(place) => place.copy_from_slice(&records),
        None => bail!(
            "the keys take {} bytes, the firmware has room for {}",
            records.len(),
            end.saturating_sub(first)
        ),
    }
    Ok(store)
}

/// Where variables may stand: behind the store's header, up to the store's size.
fn room(empty: &[u8]) -> Result<(usize, usize)> {
    let known =
        |at: usize, guid: Uuid| empty.get(at..at + 16) == Some(guid.to_bytes_le().as_slice());
    let number = |at: usize, bytes: usize| {
        let field = empty.get(at..at + bytes)?;
        Some(
            field
                .iter()
                .rev()
                .fold(0_usize, |value, byte| value << 8 | usize::from(*byte)),
        )
    };
    let at = number(VOLUME_LENGTH, 2).unwrap_or_default();
    let size = number(at + 16, 4).unwrap_or_default();
    ensure!(
        known(VOLUME.0, VOLUME.1) && known(at, STORE),
        "no variable store of edk2: give an OVMF_VARS file"
    );
    let (first, end) = (at + STORE_HEADER, at + size);
    let free = empty.get(first..end).unwrap_or_default();
    ensure!(
        !free.is_empty() && free.iter().all(|byte| *byte == 0xff),
        "the variable store is not empty: give one without keys"
    );
    Ok((first, end))
}

/// Adds one `AUTHENTICATED_VARIABLE_HEADER` with name and data, at the next multiple of four.
fn add(
    records: &mut Vec<u8>,
    name: &str,
    vendor: Uuid,
    kind: (u32, [u8; 16]),
    data: &[u8],
) -> Result<()> {
    let (attributes, time) = kind;
    let name = utf16(name);
    records.resize(records.len().next_multiple_of(4), 0xff);
    // Start mark; state: added and its header valid.
    records.extend([0xaa, 0x55, 0x3f, 0]);
    records.extend(attributes.to_le_bytes());
    records.extend(0_u64.to_le_bytes());
    records.extend(time);
    records.extend(0_u32.to_le_bytes());
    records.extend(u32::try_from(name.len())?.to_le_bytes());
    records.extend(u32::try_from(data.len())?.to_le_bytes());
    records.extend(vendor.to_bytes_le());
    records.extend(name);
    records.extend(data);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty store with room for `size` bytes in all.
    fn empty(size: u32) -> Vec<u8> {
        let mut bytes = vec![0; 72];
        bytes[16..32].copy_from_slice(&VOLUME.1.to_bytes_le());
        bytes[48] = 72;
        bytes.extend(STORE.to_bytes_le());
        bytes.extend(size.to_le_bytes());
        bytes.extend([0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
        bytes.resize(72 + size as usize, 0xff);
        bytes
    }

    fn keys() -> Variables {
        Variables {
            pk: vec![1],
            kek: vec![2; 5],
            db: vec![3; 9],
            dbx: Vec::new(),
            secure_boot: true,
        }
    }

    #[test]
    fn variables_follow_each_other_aligned_and_an_empty_one_is_left_out() {
        let store = enrol(&empty(4096), &keys()).unwrap();
        let starts: Vec<usize> = (100..store.len() - 4)
            .filter(|at| store[*at..at + 4] == [0xaa, 0x55, 0x3f, 0])
            .collect();
        // Sorted by name; 60 bytes of header, name and data, then up to the next multiple of four.
        assert_eq!(starts, [100, 176, 244, 340]);
        assert_eq!(store.len(), empty(4096).len());
    }

    #[test]
    fn refuses_a_store_that_has_no_room_or_has_variables_or_is_none() {
        assert!(
            enrol(&empty(200), &keys())
                .unwrap_err()
                .to_string()
                .contains("room")
        );
        let full = enrol(&empty(4096), &keys()).unwrap();
        assert!(
            enrol(&full, &keys())
                .unwrap_err()
                .to_string()
                .contains("not empty")
        );
        for wrong in [&b""[..], b"MZ", &empty(4096)[..80], &[0xff; 4096]] {
            assert!(enrol(wrong, &keys()).is_err());
        }
    }
}
