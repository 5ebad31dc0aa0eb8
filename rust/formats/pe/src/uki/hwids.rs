//! `.hwids`: which machines go by which name, so that a stub can choose a device tree (or firmware) by the machine's hardware IDs.
//!
//! Source: `ukify(1)`, `--hwids=`, and the sections that ukify 257 and 262 write. In order: a descriptor of 28 bytes for each hardware
//! ID, one of zeros, then the texts, each once, in the order of their bytes, each with a NUL. A descriptor is
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | what kind (its highest four bits: 1 device tree, 2 firmware) and its length, 28 |
//! | 4 | 16 | the hardware ID, as EFI writes GUIDs |
//! | 20 | 4 | where the device's name begins, counted from the section's start |
//! | 24 | 4 | where the `compatible` of the device tree, or the ID of the firmware, begins |
//!
//! Numbers are little-endian. Devices stand in the order in which they are given, the IDs of each sorted; two entries for the same
//! device are one.

use std::collections::{BTreeMap, BTreeSet};

use super::Compat;

/// The length of a descriptor in bytes.
const DESCRIPTOR: usize = 28;

/// A device that can be recognised by its hardware IDs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name, as its maker has it.
    pub name: String,
    /// What it is recognised for.
    pub target: Target,
    /// Its hardware IDs (CHIDs): UUIDs as RFC 9562 orders their bytes.
    pub ids: BTreeSet<[u8; 16]>,
}

/// What is chosen for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The device tree with this `compatible`, from `.dtb` or `.dtbauto`.
    DeviceTree(String),
    /// The firmware of this ID, from `.efifw`. Since ukify 258.
    Firmware(String),
}

/// Why devices make no `.hwids`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HwidsError {
    /// A table without a device chooses nothing.
    #[error("no device is described: give a folder with a .json file for each")]
    NoDevice,
    /// A device that can never be recognised.
    #[error("the device {0:?} has no hardware ID: give those that `fwupdtool hwids` prints")]
    NoId(String),
    /// An empty text, or one with a NUL, at which a reader would stop.
    #[error("the device {0:?} has an empty text, or one with a NUL")]
    Text(String),
    /// ukify 257 knows device trees only.
    #[error(
        "the device {0:?} is one for firmware, which ukify 257 does not know: use the rules of 262"
    )]
    FirmwareIn257(String),
    /// More than a section can hold.
    #[error("the table would be larger than 4 GiB")]
    TooLarge,
}

impl Target {
    fn kind(&self) -> u32 {
        match self {
            Self::DeviceTree(_) => 1,
            Self::Firmware(_) => 2,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::DeviceTree(text) | Self::Firmware(text) => text,
        }
    }
}

/// The bytes of `.hwids`.
pub(super) fn table(devices: Vec<Device>, compat: Compat) -> Result<Vec<u8>, HwidsError> {
    let devices = merged(devices);
    check(&devices, compat)?;
    let descriptors: usize = devices.iter().map(|device| device.ids.len()).sum();
    let texts = Texts::behind((descriptors + 1) * DESCRIPTOR, &devices)?;
    let mut table = Vec::new();
    for device in &devices {
        for id in &device.ids {
            let size = u32::try_from(DESCRIPTOR).unwrap_or(0);
            table.extend((device.target.kind() << 28 | size).to_le_bytes());
            table.extend(mixed_endian(*id));
            table.extend(texts.place(&device.name).to_le_bytes());
            table.extend(texts.place(device.target.text()).to_le_bytes());
        }
    }
    table.resize(table.len() + DESCRIPTOR, 0);
    table.extend(texts.bytes);
    Ok(table)
}

/// The same device twice is one with the IDs of both.
fn merged(devices: Vec<Device>) -> Vec<Device> {
    let mut merged: Vec<Device> = Vec::new();
    for device in devices {
        let same = merged
            .iter_mut()
            .find(|other| other.name == device.name && other.target == device.target);
        match same {
            Some(other) => other.ids.extend(device.ids),
            None => merged.push(device),
        }
    }
    merged
}

fn check(devices: &[Device], compat: Compat) -> Result<(), HwidsError> {
    if devices.is_empty() {
        return Err(HwidsError::NoDevice);
    }
    for device in devices {
        let name = || device.name.clone();
        let unreadable = |text: &str| text.is_empty() || text.contains('\0');
        if unreadable(&device.name) || unreadable(device.target.text()) {
            return Err(HwidsError::Text(name()));
        }
        if device.ids.is_empty() {
            return Err(HwidsError::NoId(name()));
        }
        if compat == Compat::Ukify257 && matches!(device.target, Target::Firmware(_)) {
            return Err(HwidsError::FirmwareIn257(name()));
        }
    }
    Ok(())
}

/// The texts of a table, and where each begins.
struct Texts<'a> {
    places: BTreeMap<&'a str, u32>,
    bytes: Vec<u8>,
}

impl<'a> Texts<'a> {
    fn behind(start: usize, devices: &'a [Device]) -> Result<Self, HwidsError> {
        let texts = devices
            .iter()
            .flat_map(|device| [device.name.as_str(), device.target.text()]);
        let texts: BTreeSet<&str> = texts.collect();
        let mut places = BTreeMap::new();
        let mut bytes = Vec::new();
        for text in texts {
            let place = u32::try_from(start + bytes.len()).map_err(|_| HwidsError::TooLarge)?;
            places.insert(text, place);
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
        Ok(Self { places, bytes })
    }

    fn place(&self, text: &str) -> u32 {
        self.places.get(text).copied().unwrap_or(0)
    }
}

/// As EFI writes a GUID: its first three fields little-endian.
fn mixed_endian(id: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = id;
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}
