//! The EFI system partition (ESP): boot entries, boot counting, and a transaction that survives the loss of power.
//!
//! - [`EspPath`]: a path on the file system, valid on FAT.
//! - [`EntryName`], [`BootCount`]: the names of our entries, and the counters in them.
//! - [`type1`], [`OsRelease`], [`loader_conf`]: what systemd-boot reads of entries and of its settings; [`order`]: what it makes of them.
//! - [`FileSystem`]: what the transaction needs of a file system; [`fs::Real`]: the machine's.
//! - [`Desired`]: what is to be there afterwards. [`Observed`]: what is there before. [`Verified`]: what was hashed already.
//! - [`Plan`]: what is done. [`transact`]: does it, whole or not at all.
//! - [`fat`]: what files and folders take of a FAT32 file system.
//!
//! Sources: UAPI group, Boot Loader Specification and Automatic Boot Assessment; Microsoft, FAT: General Overview of On-Disk Format 1.03.
#![forbid(unsafe_code)]

mod counter;
mod desired;
mod entry_name;
pub mod fat;
mod files;
pub mod fs;
mod lines;
pub mod loader_conf;
mod names;
mod observed;
pub mod order;
mod os_release;
mod path;
mod plan;
mod refusal;
mod transaction;
pub mod type1;
mod verified;

pub use counter::{Assessment, BootCount, CountError};
pub use desired::{Content, Desired, Entry, File};
pub use entry_name::{EntryKind, EntryName, EntryNameError, PREFIX, escape};
pub use files::{sha256, write_whole};
pub use fs::FileSystem;
pub use names::ours;
pub use observed::{Observed, Present};
pub use os_release::OsRelease;
pub use path::{EspPath, PathError};
pub use plan::{Cost, Phase, Plan, Warning, Write};
pub use refusal::Refusal;
pub use transaction::{
    Action, Cause, Failure, Progress, Silent, TransactionError, Volume, transact,
};
pub use verified::{Digests, Trust, Verified};
