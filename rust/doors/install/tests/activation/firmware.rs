//! Boot entries of the firmware, beside virt-firmware's.

use touchstone_esp::EspPath;
use touchstone_harness::inputs;
use touchstone_harness::nix::output;
use touchstone_install::variables::{HardDrive, LoadOption};
use uuid::uuid;

/// Makes the same entry, and prints it in hex and as text.
const MAKE: &str = "
from virt.firmware.efi import bootentry, devpath, guids, ucs16
disk = devpath.DevicePathElem()
disk.set_gpt(3, 2048, 131072, '70756f74-7368-4f6e-8e65-000000000002')
file = devpath.DevicePathElem()
file.set_filepath('\\\\EFI\\\\systemd\\\\systemd-bootx64.efi')
path = devpath.DevicePath()
path.append(disk)
path.append(file)
title = ucs16.from_string('Linux Boot Manager')
entry = bootentry.BootEntry(attr=1, title=title, devicepath=path)
print(bytes(entry).hex())
";

#[test]
fn a_boot_entry_is_that_of_virt_firmware() {
    let drive = HardDrive {
        number: 3,
        start: 2048,
        size: 131_072,
        id: uuid!("70756f74-7368-4f6e-8e65-000000000002"),
    };
    let file = EspPath::parse("EFI/systemd/systemd-bootx64.efi").unwrap();
    let ours = LoadOption::of_file("Linux Boot Manager", &drive, &file).to_bytes();
    let mut python = inputs().trixie().command("python3").unwrap();
    python.args(["-c", MAKE]);
    let theirs = output(python).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&ours), theirs.trim());
}
