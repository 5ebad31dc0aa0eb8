use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use tempfile::TempDir;
use touchstone_esp::EspPath;
use uuid::{Uuid, uuid};

use super::boot_entry::{BootEntries, Target};
use super::loader::counted;
use super::*;

const ID: Uuid = uuid!("70756f74-7368-4f6e-8e65-000000000002");

fn machine() -> (TempDir, Variables) {
    let folder = tempfile::tempdir().unwrap();
    let variables = Variables::at(folder.path());
    (folder, variables)
}

fn kept(value: &[u8]) -> Variable {
    Variable {
        attributes: KEPT,
        value: value.to_vec(),
    }
}

fn esp_path(text: &str) -> EspPath {
    EspPath::parse(text).unwrap()
}

#[test]
fn a_variable_is_four_bytes_of_attributes_and_its_value() {
    let (_folder, variables) = machine();
    assert!(!variables.exist());
    assert_eq!(variables.read(Vendor::Global, "BootOrder").unwrap(), None);
    let order = kept(&[1, 0]);
    assert!(
        variables
            .write(Vendor::Global, "BootOrder", &order)
            .unwrap()
    );
    let file = variables.path(Vendor::Global, "BootOrder");
    assert!(file.ends_with("BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c"));
    assert_eq!(fs::read(&file).unwrap(), [7, 0, 0, 0, 1, 0]);
    assert!(variables.exist());
    assert_eq!(
        variables.read(Vendor::Global, "BootOrder").unwrap(),
        Some(order.clone())
    );
    assert!(
        !variables
            .write(Vendor::Global, "BootOrder", &order)
            .unwrap(),
        "it is there already"
    );
    assert!(variables.remove(Vendor::Global, "BootOrder").unwrap());
    assert!(
        !variables.remove(Vendor::Global, "BootOrder").unwrap(),
        "it is gone already"
    );
}

#[test]
fn refuses_a_file_that_is_no_variable() {
    let (folder, variables) = machine();
    let file = variables.path(Vendor::Global, "db");
    let read = || {
        variables
            .read(Vendor::Global, "db")
            .unwrap_err()
            .to_string()
    };
    fs::write(&file, [7, 0, 0]).unwrap();
    assert!(read().contains("has 3 bytes"));
    fs::write(&file, vec![0; (1 << 20) + 1]).unwrap();
    assert!(read().contains("more than 1048576"));
    fs::remove_file(&file).unwrap();
    fs::write(folder.path().join("elsewhere"), [7, 0, 0, 0]).unwrap();
    symlink("elsewhere", &file).unwrap();
    assert!(read().contains("cannot read"), "a link is followed nowhere");
}

#[test]
fn refuses_to_change_the_attributes_of_a_variable() {
    let (_folder, variables) = machine();
    let volatile = Variable {
        attributes: BOOT_SERVICES | RUNTIME,
        value: vec![1],
    };
    variables
        .write(Vendor::Loader, "LoaderEntryDefault", &volatile)
        .unwrap();
    let refused = variables.write(Vendor::Loader, "LoaderEntryDefault", &kept(&[1]));
    assert!(matches!(
        refused,
        Err(VariableError::Attributes {
            found: 6,
            wanted: 7,
            ..
        })
    ));
}

/// efivarfs makes files immutable, and a file system on a disk can do so for the superuser.
#[test]
fn takes_the_flag_immutable_off_for_as_long_as_it_writes() {
    let (_folder, variables) = machine();
    variables
        .write(Vendor::Loader, "LoaderEntryDefault", &kept(b"a\0\0\0"))
        .unwrap();
    let path = variables.path(Vendor::Loader, "LoaderEntryDefault");
    let file = fs::File::open(&path).unwrap();
    let Ok(flags) = ioctl_getflags(&file) else {
        // A file system without flags has nothing to take off, and a variable there is written as well.
        let written = variables.write(Vendor::Loader, "LoaderEntryDefault", &kept(b"b\0\0\0"));
        assert!(written.unwrap());
        return;
    };
    if !rustix::process::geteuid().is_root() {
        assert!(ioctl_setflags(&file, flags | IFlags::IMMUTABLE).is_err());
        return;
    }
    ioctl_setflags(&file, flags | IFlags::IMMUTABLE).unwrap();
    assert!(fs::write(&path, b"").is_err(), "the flag is on");
    assert!(
        variables
            .write(Vendor::Loader, "LoaderEntryDefault", &kept(b"b\0\0\0"))
            .unwrap()
    );
    assert_eq!(variables.entry_default().unwrap().as_deref(), Some("b"));
    assert!(
        ioctl_getflags(&file).unwrap().contains(IFlags::IMMUTABLE),
        "the flag is on again"
    );
    assert_eq!(
        variables.clear_entry_default().unwrap().as_deref(),
        Some("b")
    );
    assert!(!path.exists());
}

#[test]
fn reads_what_the_boot_loader_says() {
    let (_folder, variables) = machine();
    assert_eq!(variables.boot_count_path().unwrap(), None);
    let entry = esp_path("EFI/Linux/nixos-2+1-1.efi");
    let says = |variable: &Variable| {
        variables
            .remove(Vendor::Loader, "LoaderBootCountPath")
            .unwrap();
        variables
            .write(Vendor::Loader, "LoaderBootCountPath", variable)
            .unwrap();
        variables.boot_count_path()
    };
    assert_eq!(says(&counted(&entry)).unwrap(), Some(entry.clone()));
    let stays = Variable {
        attributes: KEPT,
        ..counted(&entry)
    };
    assert!(
        says(&stays)
            .unwrap_err()
            .to_string()
            .contains("kept between boots")
    );
    for wrong in ["EFI/Linux/a+1.efi", "\\EFI\\..\\a", "\\", ""] {
        let wrong = Variable {
            attributes: BOOT_SERVICES | RUNTIME,
            value: text::bytes(wrong),
        };
        assert!(says(&wrong).unwrap_err().to_string().contains("no path"));
    }
}

#[test]
fn knows_whether_signatures_are_enforced() {
    let (_folder, variables) = machine();
    assert_eq!(variables.secure_boot().unwrap(), None);
    let switch = |name: &str, value: &[u8]| {
        fs::write(
            variables.path(Vendor::Global, name),
            [&[6, 0, 0, 0], value].concat(),
        )
        .unwrap();
    };
    switch("SecureBoot", &[1]);
    switch("SetupMode", &[0]);
    let state = variables.secure_boot().unwrap().unwrap();
    assert!(state.enforced && !state.setup_mode);
    switch("SecureBoot", &[2]);
    assert!(
        variables
            .secure_boot()
            .unwrap_err()
            .to_string()
            .contains("neither 0 nor 1")
    );
    switch("SecureBoot", &[0]);
    fs::write(
        variables.path(Vendor::ImageSecurity, "dbx"),
        [7, 0, 0, 0, 1, 2, 3],
    )
    .unwrap();
    assert!(
        variables
            .secure_boot()
            .unwrap_err()
            .to_string()
            .contains("enrol it again")
    );
}

fn target(id: Uuid) -> Target {
    Target {
        drive: HardDrive {
            number: 1,
            start: 2048,
            size: 1000,
            id,
        },
        file: esp_path("EFI/systemd/systemd-bootx64.efi"),
    }
}

fn order_of(variables: &Variables) -> Vec<u8> {
    let order = variables.read(Vendor::Global, "BootOrder").unwrap();
    order.unwrap().value
}

#[test]
fn puts_an_entry_for_each_copy_of_the_boot_loader_first() {
    let (_folder, variables) = machine();
    let other = LoadOption::of_file("Windows", &target(Uuid::nil()).drive, &esp_path("EFI/w"));
    for (name, value) in [
        ("Boot0000", other.to_bytes()),
        ("Boot0002", b"what nobody can read".to_vec()),
        ("BootOrder", vec![2, 0, 0, 0]),
    ] {
        variables
            .write(Vendor::Global, name, &kept(&value))
            .unwrap();
    }
    let targets = [target(ID), target(Uuid::max())];
    let plan = BootEntries::plan(&variables, &targets).unwrap();
    assert_eq!(
        plan.to_string(),
        "Boot0001: Linux Boot Manager; Boot0003: Linux Boot Manager; BootOrder: 0001, 0003, 0002, 0000"
    );
    plan.write(&variables).unwrap();
    assert_eq!(order_of(&variables), [1, 0, 3, 0, 2, 0, 0, 0]);
    let read = variables.read(Vendor::Global, "Boot0001").unwrap().unwrap();
    let option = LoadOption::read(&read.value).unwrap();
    assert!(option.starts(&targets[0].drive, &targets[0].file));
    assert!(
        BootEntries::plan(&variables, &targets).unwrap().is_empty(),
        "done is done"
    );
}

#[test]
fn takes_the_entry_that_is_there_and_switches_it_on() {
    let (_folder, variables) = machine();
    let Target { drive, file } = target(ID);
    let mut bytes = LoadOption::of_file("Old title", &drive, &file).to_bytes();
    variables
        .write(Vendor::Global, "Boot0005", &kept(&bytes))
        .unwrap();
    let plan = BootEntries::plan(&variables, &[target(ID)]).unwrap();
    assert_eq!(plan.to_string(), "BootOrder: 0005");
    bytes[0] = 0;
    variables
        .write(Vendor::Global, "Boot0005", &kept(&bytes))
        .unwrap();
    let plan = BootEntries::plan(&variables, &[target(ID)]).unwrap();
    plan.write(&variables).unwrap();
    let read = variables.read(Vendor::Global, "Boot0005").unwrap().unwrap();
    assert!(LoadOption::read(&read.value).unwrap().is_active());
    assert_eq!(order_of(&variables), [5, 0]);
}

/// A machine with a disk of blocks of `block` bytes and one partition, as sysfs and the disk show it.
fn disk(block: u64, spoil: impl Fn(&mut Vec<u8>)) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let of_disk = root.path().join("sys/devices/vda");
    let of_partition = of_disk.join("vda1");
    fs::create_dir_all(&of_partition).unwrap();
    fs::create_dir_all(of_disk.join("queue")).unwrap();
    fs::create_dir_all(root.path().join("sys/dev/block")).unwrap();
    fs::create_dir_all(root.path().join("dev")).unwrap();
    symlink(
        "../../devices/vda/vda1",
        root.path().join("sys/dev/block/254:1"),
    )
    .unwrap();
    fs::write(
        of_disk.join("queue/logical_block_size"),
        format!("{block}\n"),
    )
    .unwrap();
    fs::write(of_disk.join("uevent"), "MAJOR=254\nDEVNAME=vda\n").unwrap();
    fs::write(of_partition.join("partition"), "1\n").unwrap();
    fs::write(
        of_partition.join("start"),
        format!("{}\n", 40 * block / 512),
    )
    .unwrap();
    let mut bytes = vec![0; usize::try_from(8 * block).unwrap() + 128 * 128];
    let mut entries = uuid!("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
        .to_bytes_le()
        .to_vec();
    entries.extend(ID.to_bytes_le());
    entries.extend(40_u64.to_le_bytes());
    entries.extend(59_u64.to_le_bytes());
    entries.resize(128 * 128, 0);
    let mut header = b"EFI PART\0\0\x01\0\x5c\0\0\0\0\0\0\0".to_vec();
    header.resize(72, 0);
    header.extend(2_u64.to_le_bytes());
    header.extend([128, 0, 0, 0, 128, 0, 0, 0]);
    header.extend(crc32fast::hash(&entries).to_le_bytes());
    let sum = crc32fast::hash(&header).to_le_bytes();
    header[16..20].copy_from_slice(&sum);
    let start = usize::try_from(block).unwrap();
    bytes[start..start + 92].copy_from_slice(&header);
    bytes[2 * start..2 * start + entries.len()].copy_from_slice(&entries);
    spoil(&mut bytes);
    fs::write(root.path().join("dev/vda"), bytes).unwrap();
    root
}

fn partition(root: &TempDir, device: &str) -> Result<Partition, PartitionError> {
    Partition::of_device(root.path(), &PathBuf::from("/boot"), device)
}

#[test]
fn finds_the_partition_in_the_table_of_its_disk() {
    for block in [512, 4096] {
        let found = partition(&disk(block, |_| ()), "254:1").unwrap();
        let drive = HardDrive {
            number: 1,
            start: 40,
            size: 20,
            id: ID,
        };
        assert_eq!(found.drive, drive, "blocks of {block} bytes");
        assert!(found.disk.ends_with("dev/vda"));
    }
}

#[test]
fn refuses_what_no_boot_entry_can_name() {
    let refused = |root: &TempDir, device: &str| partition(root, device).unwrap_err().to_string();
    let whole = disk(512, |_| ());
    assert!(refused(&whole, "9:0").contains("does not lie on a partition of a disk (9:0)"));
    fs::write(whole.path().join("sys/devices/vda/vda1/start"), "8\n").unwrap();
    assert!(refused(&whole, "254:1").contains("begins elsewhere"));
    fs::write(whole.path().join("sys/devices/vda/vda1/partition"), "2\n").unwrap();
    assert!(refused(&whole, "254:1").contains("no partition 2"));
    fs::write(whole.path().join("sys/devices/vda/vda1/partition"), "x\n").unwrap();
    assert!(refused(&whole, "254:1").contains("\"x\", which is no number"));
    for (at, fact) in [
        (512, "no GUID partition table"),
        (512 + 73, "checksum of its header"),
        (512 + 12, "92 bytes"),
        (1024 + 20, "checksum of its entries"),
    ] {
        let spoilt = disk(512, |bytes| bytes[at] ^= 1);
        assert!(refused(&spoilt, "254:1").contains(fact), "{fact}");
    }
    let short = disk(512, |bytes| bytes.truncate(600));
    assert!(refused(&short, "254:1").contains("cannot be read"));
}
