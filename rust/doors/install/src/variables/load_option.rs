//! `EFI_LOAD_OPTION`: what a variable `Boot####` holds.
//!
//! Source: UEFI specification 2.10, sections 3.1.3 (load options), 10.3.5.1 (hard drive), 10.3.5.4 (file path).

use touchstone_esp::EspPath;
use uuid::Uuid;

use super::text;

/// `LOAD_OPTION_ACTIVE`: the firmware tries it.
const ACTIVE: u32 = 1;
/// Types and subtypes of the nodes of a device path.
const MEDIA: u8 = 4;
const HARD_DRIVE: u8 = 1;
const FILE_PATH: u8 = 4;
const END: u8 = 0x7f;
const END_ENTIRE: u8 = 0xff;
/// Of a hard drive: a GUID partition table, and a GUID as signature.
const GPT: u8 = 2;
const GUID: u8 = 2;
/// Length of a node without its body, and of a hard drive's.
const NODE: usize = 4;
const HARD_DRIVE_LENGTH: u16 = 42;

/// A partition of a disk with a GUID partition table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HardDrive {
    /// Its number in the table, from 1.
    pub number: u32,
    /// Its first block.
    pub start: u64,
    /// Its size in blocks of the disk.
    pub size: u64,
    /// Its own GUID.
    pub id: Uuid,
}

/// A line of the firmware's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOption {
    /// `LOAD_OPTION_ACTIVE` and others.
    pub attributes: u32,
    /// What the menu shows.
    pub title: String,
    /// The device path, with its end.
    path: Vec<u8>,
    /// What is handed to the program.
    data: Vec<u8>,
}

impl LoadOption {
    /// The option that starts a file on a partition.
    pub fn of_file(title: &str, drive: &HardDrive, file: &EspPath) -> Self {
        let mut path = hard_drive(drive);
        path.extend(file_path(file));
        path.extend(node(END, END_ENTIRE, &[]));
        Self {
            attributes: ACTIVE,
            title: title.to_owned(),
            path,
            data: Vec::new(),
        }
    }

    /// Reads what a variable holds; none when it is no load option.
    pub fn read(value: &[u8]) -> Option<Self> {
        let (attributes, rest) = value.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let units = rest.as_chunks::<2>().0;
        let end = units.iter().position(|unit| *unit == [0, 0])?;
        let (title, rest) = rest.split_at_checked((end + 1).checked_mul(2)?)?;
        let (path, data) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        Some(Self {
            attributes: u32::from_le_bytes(*attributes),
            title: text::read(title)?,
            path: path.to_vec(),
            data: data.to_vec(),
        })
    }

    /// The variable's value.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Paths are made of a hard drive and a file name of at most 255 units a component, or were read: all fit.
        let length = u16::try_from(self.path.len()).unwrap_or(u16::MAX);
        let mut bytes = self.attributes.to_le_bytes().to_vec();
        bytes.extend(length.to_le_bytes());
        bytes.extend(text::bytes(&self.title));
        bytes.extend(&self.path);
        bytes.extend(&self.data);
        bytes
    }

    /// Whether the firmware tries it.
    pub fn is_active(&self) -> bool {
        self.attributes & ACTIVE != 0
    }

    /// Whether it starts this file on this partition, whatever its title, and however the disk is named besides.
    pub fn starts(&self, drive: &HardDrive, file: &EspPath) -> bool {
        let mut of_drive = false;
        for (kind, subkind, body) in Nodes(&self.path) {
            match (kind, subkind) {
                (MEDIA, HARD_DRIVE) => of_drive = is_drive(body, drive),
                (MEDIA, FILE_PATH) => return of_drive && is_file(body, file),
                _ => (),
            }
        }
        false
    }
}

fn hard_drive(drive: &HardDrive) -> Vec<u8> {
    let mut body = drive.number.to_le_bytes().to_vec();
    body.extend(drive.start.to_le_bytes());
    body.extend(drive.size.to_le_bytes());
    body.extend(drive.id.to_bytes_le());
    body.extend([GPT, GUID]);
    node(MEDIA, HARD_DRIVE, &body)
}

fn file_path(file: &EspPath) -> Vec<u8> {
    let text = format!("\\{}", file.as_str().replace('/', "\\"));
    node(MEDIA, FILE_PATH, &text::bytes(&text))
}

fn node(kind: u8, subkind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(NODE.saturating_add(body.len())).unwrap_or(u16::MAX);
    let mut bytes = vec![kind, subkind];
    bytes.extend(length.to_le_bytes());
    bytes.extend(body);
    bytes
}

/// A drive is known by its GUID; where it begins may be that of another disk of the same image.
fn is_drive(body: &[u8], drive: &HardDrive) -> bool {
    body.len() + NODE == usize::from(HARD_DRIVE_LENGTH)
        && body.get(20..36) == Some(&drive.id.to_bytes_le())
        && body.get(36..) == Some(&[GPT, GUID])
}

fn is_file(body: &[u8], file: &EspPath) -> bool {
    let text = text::read(body).map(|text| text.replace('\\', "/"));
    text.as_deref()
        .and_then(|text| EspPath::parse(text.strip_prefix('/')?).ok())
        .is_some_and(|found| found == *file)
}

/// The nodes of a device path, up to its end or to where it is malformed.
struct Nodes<'a>(&'a [u8]);

impl<'a> Iterator for Nodes<'a> {
    type Item = (u8, u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let &[kind, subkind, low, high] = self.0.first_chunk::<4>()?;
        let length = usize::from(u16::from_le_bytes([low, high]));
        let (node, rest) = self.0.split_at_checked(length)?;
        let body = node.get(NODE..)?;
        self.0 = rest;
        (kind != END).then_some((kind, subkind, body))
    }
}

#[cfg(test)]
mod tests {
    use uuid::uuid;

    use super::*;

    const DRIVE: HardDrive = HardDrive {
        number: 1,
        start: 2048,
        size: 131_072,
        id: uuid!("70756f74-7368-4f6e-8e65-000000000002"),
    };

    fn loader() -> EspPath {
        EspPath::parse("EFI/systemd/systemd-bootx64.efi").unwrap()
    }

    #[test]
    fn has_the_bytes_of_the_specification() {
        let bytes = LoadOption::of_file("L", &DRIVE, &EspPath::parse("EFI/a").unwrap()).to_bytes();
        let mut expected = vec![1, 0, 0, 0, 42 + 4 + 14 + 4, 0, b'L', 0, 0, 0];
        expected.extend([4, 1, 42, 0, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0]);
        expected.extend([0, 0, 2, 0, 0, 0, 0, 0]);
        expected.extend(DRIVE.id.to_bytes_le());
        expected.extend([2, 2, 4, 4, 18, 0]);
        expected.extend(b"\\\0E\0F\0I\0\\\0a\0\0\0");
        expected.extend([0x7f, 0xff, 4, 0]);
        assert_eq!(bytes, expected);
    }

    #[test]
    fn reads_what_it_writes_and_knows_it_again() {
        let option = LoadOption::of_file("Linux Boot Manager", &DRIVE, &loader());
        let read = LoadOption::read(&option.to_bytes()).unwrap();
        assert_eq!(read, option);
        assert!(read.is_active() && read.starts(&DRIVE, &loader()));
        let other = HardDrive {
            id: Uuid::nil(),
            ..DRIVE
        };
        assert!(!read.starts(&other, &loader()));
        assert!(!read.starts(&DRIVE, &EspPath::parse("EFI/BOOT/BOOTX64.EFI").unwrap()));
        let shouted = EspPath::parse("EFI/SYSTEMD/SYSTEMD-BOOTX64.EFI").unwrap();
        assert!(read.starts(&DRIVE, &shouted), "FAT knows no case");
    }

    #[test]
    fn reads_nothing_of_what_is_no_load_option() {
        let whole = LoadOption::of_file("Linux", &DRIVE, &loader()).to_bytes();
        let shortest = 4 + 2 + 12 + usize::from(whole[4]);
        for length in 0..shortest {
            assert_eq!(LoadOption::read(&whole[..length]), None, "{length} bytes");
        }
        // Device paths whose nodes are shorter than a node, or longer than the path, start nothing.
        for length in [0, 3, 200] {
            let mut option = LoadOption::of_file("Linux", &DRIVE, &loader());
            option.path[2] = length;
            assert!(!option.starts(&DRIVE, &loader()), "{length}");
        }
    }
}
