//! The EFI system partition (ESP): boot entries, boot counting, and a transaction that survives the loss of power.
//!
//! - [`EspPath`]: a path on the file system, valid on FAT.
//! - [`FileSystem`]: what the transaction needs of a file system.
//! - [`Desired`]: what is to be there afterwards.
//!
//! Sources: UAPI group, Boot Loader Specification and Automatic Boot Assessment; Microsoft, FAT: General Overview of On-Disk Format 1.03.
#![forbid(unsafe_code)]

mod desired;
pub mod fs;
mod path;

pub use desired::{Content, Desired, Entry, File};
pub use fs::FileSystem;
pub use path::{EspPath, PathError};
