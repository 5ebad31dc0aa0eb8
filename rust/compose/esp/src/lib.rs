//! The EFI system partition (ESP): boot entries, boot counting, and a transaction that survives the loss of power.
//!
//! - [`EspPath`]: a path on the file system, valid on FAT.
//! - [`EntryName`], [`BootCount`]: the names of our entries, and the counters in them.
//! - [`type1`], [`OsRelease`], [`loader_conf`]: what systemd-boot reads of entries and of its settings; [`order`]: what it makes of them.
//! - [`FileSystem`]: what the transaction needs of a file system.
//! - [`Desired`]: what is to be there afterwards.
//!
//! Sources: UAPI group, Boot Loader Specification and Automatic Boot Assessment; Microsoft, FAT: General Overview of On-Disk Format 1.03.
#![forbid(unsafe_code)]

mod counter;
mod desired;
mod entry_name;
pub mod fs;
mod lines;
pub mod loader_conf;
pub mod order;
mod os_release;
mod path;
pub mod type1;

pub use counter::{Assessment, BootCount, CountError};
pub use desired::{Content, Desired, Entry, File};
pub use entry_name::{EntryKind, EntryName, EntryNameError, PREFIX, escape};
pub use fs::FileSystem;
pub use os_release::OsRelease;
pub use path::{EspPath, PathError};
