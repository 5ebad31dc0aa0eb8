//! What the firmware, or the host of a virtual machine, tells systemd.

use std::process::Command;

use rustix::system::uname;

use super::{Refusal, names, read};
use crate::machine::Machine;

/// Where the kernel shows QEMU's `fw_cfg`, and systemd looks for credentials in it.
pub const QEMU: &str = "/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials";
/// The SMBIOS structures, one behind another, as the firmware made them. The kernel shows them without any module.
const TABLE: &str = "/sys/firmware/dmi/tables/DMI";
/// The largest table that is read, in bytes: twice what a 32 bit entry point can name.
const LIMIT: u64 = 1 << 24;
/// The structure of strings that the manufacturer is free to choose.
const OEM_STRINGS: u8 = 11;

/// The firmware's variables.
pub const VARIABLES: &str = "/sys/firmware/efi/efivars";
/// A variable with a command line for systemd alone. With Secure Boot systemd leaves it alone; without, nobody measures it.
/// Source: systemd, `read_efi_options_variable`.
const SYSTEMD_OPTIONS: &str = "SystemdOptions-8cf2644b-4b0b-428f-9387-6d876050dc67";

/// The kernel's driver of `fw_cfg`.
const QEMU_MODULE: &str = "qemu_fw_cfg";
/// What it shows once it is loaded.
const QEMU_FOLDER: &str = "/sys/firmware/qemu_fw_cfg";
/// The devices of ACPI, by name and number.
const ACPI_DEVICES: &str = "/sys/bus/acpi/devices";
/// `fw_cfg` in ACPI. Source: QEMU, "docs/specs/fw_cfg".
const QEMU_DEVICE: &str = "QEMU0002:";
/// The devices that firmware or device tree describe.
const PLATFORM_DEVICES: &str = "/sys/bus/platform/devices";
/// `fw_cfg` in a device tree, in the device's alias. Source: Linux, "Documentation/devicetree/bindings/firmware/qemu,fw-cfg-mmio.yaml".
const QEMU_COMPATIBLE: &[u8] = b"Cqemu,fw-cfg-mmio";
/// The largest alias of a device that is read, in bytes: sysfs gives no more than a page.
const ALIAS_LIMIT: u64 = 1 << 16;
/// Where initrds have the kernel's own helper.
const MODPROBE: [&str; 2] = ["/sbin/modprobe", "/bin/modprobe"];
/// The largest index of modules that is read, in bytes.
const MODULES_LIMIT: u64 = 1 << 26;

/// Refuses a command line in the firmware's variables.
pub(super) fn judge_variables(machine: &Machine) -> Result<(), Refusal> {
    let mut names = names(machine, VARIABLES)?.into_iter();
    match names.any(|name| name == SYSTEMD_OPTIONS) {
        true => Err(Refusal::FirmwareOptions),
        false => Ok(()),
    }
}

/// Loads the driver of QEMU's `fw_cfg`, as systemd will before it takes credentials from there: they must be seen before.
///
/// # Errors
/// [`Refusal::Hidden`] when the machine has `fw_cfg` and the initrd its driver, and still nothing is seen.
pub fn reveal(machine: &Machine) -> Result<(), Refusal> {
    if machine.path(QEMU_FOLDER).exists() || !has_fw_cfg(machine)? {
        return Ok(());
    }
    let release = uname().release().to_string_lossy().into_owned();
    if !has_module(machine, &release)? {
        return Ok(());
    }
    for program in MODPROBE {
        let _ = Command::new(machine.path(program))
            .args(["--quiet", QEMU_MODULE])
            .status();
        if machine.path(QEMU_FOLDER).exists() {
            return Ok(());
        }
    }
    Err(Refusal::Hidden)
}

fn has_fw_cfg(machine: &Machine) -> Result<bool, Refusal> {
    Ok(acpi_has_fw_cfg(machine)? || device_tree_has_fw_cfg(machine)?)
}

/// Whether the device tree has it, on machines without ACPI.
fn device_tree_has_fw_cfg(machine: &Machine) -> Result<bool, Refusal> {
    for name in names(machine, PLATFORM_DEVICES)? {
        let file = format!("{PLATFORM_DEVICES}/{}/modalias", name.to_string_lossy());
        let alias = read(machine, &file, ALIAS_LIMIT)?;
        let mut windows = alias.iter().flat_map(|a| a.windows(QEMU_COMPATIBLE.len()));
        if windows.any(|window| window == QEMU_COMPATIBLE) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn acpi_has_fw_cfg(machine: &Machine) -> Result<bool, Refusal> {
    let mut names = names(machine, ACPI_DEVICES)?.into_iter();
    Ok(names.any(|name| {
        let name = name.as_encoded_bytes();
        name.starts_with(QEMU_DEVICE.as_bytes())
    }))
}

/// Whether the initrd's index of modules, which systemd's library asks, has the driver's file.
fn has_module(machine: &Machine, release: &str) -> Result<bool, Refusal> {
    for index in ["modules.dep.bin", "modules.dep"] {
        let file = format!("/lib/modules/{release}/{index}");
        let bytes = read(machine, &file, MODULES_LIMIT)?;
        let name = format!("{QEMU_MODULE}.ko");
        let mut windows = bytes.iter().flat_map(|bytes| bytes.windows(name.len()));
        if windows.any(|window| window == name.as_bytes()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The names of the credentials that SMBIOS strings bring.
///
/// # Errors
/// [`Refusal::Unreadable`].
pub fn smbios_credentials(machine: &Machine) -> Result<Vec<String>, Refusal> {
    let table = read(machine, TABLE, LIMIT)?;
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
