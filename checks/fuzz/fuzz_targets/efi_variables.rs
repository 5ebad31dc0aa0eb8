//! What the installer reads of firmware and disks: a load option (`Boot####`) is read and written as the same, or refused; a GUID partition table names
//! a partition that does not end before it begins, or none.
//!
//! The first byte chooses; the rest is a load option, or a disk of blocks of 512 bytes.
//!
//! Seeds: `option` is a load option of this program, `foreign` one of a firmware's own (MemoryMapped, FvFile), `disk` a table with one partition of
//! checks/harness/src/boot/gpt.rs.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use touchstone_install::variables::{HardDrive, LoadOption};

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    if choice & 1 == 0 {
        load_option(rest);
    } else {
        table(rest);
    }
});

fn load_option(bytes: &[u8]) {
    let Some(option) = LoadOption::read(bytes) else {
        return;
    };
    assert_eq!(option.to_bytes(), bytes);
    let drive = HardDrive {
        number: 1,
        start: 2048,
        size: 1,
        id: uuid::Uuid::nil(),
    };
    let file = touchstone_esp::EspPath::parse("EFI/systemd/systemd-bootx64.efi");
    option.starts(&drive, &file.expect("a path"));
}

fn table(bytes: &[u8]) {
    for number in [0, 1, 128, u32::MAX] {
        if let Ok(drive) = HardDrive::in_table(&mut Cursor::new(bytes), 512, number) {
            assert_eq!(drive.number, number);
            assert!(drive.size > 0 && !bytes.is_empty());
        }
    }
}
