//! On which partition of which disk a mounted file system lies.
//!
//! Source: Linux, Documentation/ABI/stable/sysfs-block; the firmware knows a partition by the table on its disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor, stat};

use super::gpt::GptError;
use super::{HardDrive, PartitionError};

/// The kernel counts starts and sizes in these, whatever the disk's blocks are.
const SECTOR: u64 = 512;

/// A partition, as the kernel and its disk's table agree that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The disk.
    pub disk: PathBuf,
    /// What names it to the firmware.
    pub drive: HardDrive,
}

impl Partition {
    /// The partition of the file system that is mounted here. `root` is where `/sys` and `/dev` begin.
    ///
    /// # Errors
    /// [`PartitionError`].
    pub fn of(root: &Path, mount: &Path) -> Result<Self, PartitionError> {
        let device = stat(mount).map_err(|error| PartitionError::Read {
            mount: mount.to_owned(),
            file: mount.to_owned(),
            source: error.into(),
        })?;
        let number = format!("{}:{}", major(device.st_dev), minor(device.st_dev));
        Self::of_device(root, mount, &number)
    }

    /// The same for a device `MAJOR:MINOR`.
    ///
    /// # Errors
    /// [`PartitionError`].
    pub fn of_device(root: &Path, mount: &Path, device: &str) -> Result<Self, PartitionError> {
        let system = System { root, mount };
        let folder = root.join("sys/dev/block").join(device);
        if !folder.join("partition").exists() {
            return Err(PartitionError::NotAPartition {
                mount: mount.to_owned(),
                device: system.name(&folder).unwrap_or_else(|| device.to_owned()),
            });
        }
        let number = system.number(&folder.join("partition"))?;
        let start = system.number(&folder.join("start"))?;
        // The folder is a link to the partition's, which lies in the disk's: the kernel's `..` leads there, a text's would not.
        let parent = folder.join("..");
        let block = system.number(&parent.join("queue/logical_block_size"))?;
        let name = system.name(&parent).unwrap_or_default();
        let disk = root.join("dev").join(name);
        let table = |fact: String| PartitionError::Table {
            disk: disk.clone(),
            fact,
        };
        let drive = drive(&disk, block, number).map_err(|error| table(error.to_string()))?;
        let place = drive.start.checked_mul(block);
        if place.is_none() || place != start.checked_mul(SECTOR) {
            let says = "the kernel says that the partition begins elsewhere than its table does";
            return Err(table(says.to_owned()));
        }
        Ok(Self { disk, drive })
    }
}

fn drive(disk: &Path, block: u64, number: u64) -> Result<HardDrive, GptError> {
    let number = u32::try_from(number).map_err(|_| GptError::Damaged("its number of entries"))?;
    HardDrive::in_table(&mut File::open(disk)?, block, number)
}

struct System<'a> {
    root: &'a Path,
    mount: &'a Path,
}

impl System<'_> {
    fn number(&self, file: &Path) -> Result<u64, PartitionError> {
        let text = fs::read_to_string(file).map_err(|source| PartitionError::Read {
            mount: self.mount.to_owned(),
            file: file.to_owned(),
            source,
        })?;
        text.trim().parse().map_err(|_| PartitionError::Number {
            file: file.to_owned(),
            text: text.trim().to_owned(),
        })
    }

    /// The name of a device in `/dev`.
    fn name(&self, folder: &Path) -> Option<String> {
        let text = fs::read_to_string(folder.join("uevent")).ok()?;
        let name = text
            .lines()
            .find_map(|line| line.strip_prefix("DEVNAME="))?;
        // Names with slashes there are (`mapper/…`); none leads out of the folder.
        let inside = !name.split('/').any(|part| matches!(part, "" | "." | ".."));
        (inside && self.root.join("dev").join(name).exists()).then(|| name.to_owned())
    }
}
