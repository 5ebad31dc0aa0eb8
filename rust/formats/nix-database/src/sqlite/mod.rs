//! SQLite's file format, as far as reading tables and looking up rows by their indexes needs it.
//!
//! Source: <https://www.sqlite.org/fileformat2.html>.

mod definition;
mod header;
mod index;
mod pages;
mod payload;
mod record;
mod schema;
mod tree;
mod wal;

pub(crate) use pages::Pages;
pub(crate) use record::{Record, Value};
pub(crate) use schema::{Index, Table};

use crate::Damage;

/// Why a read of pages ends: the file's fault, or the system's.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The file is damaged.
    Damage(Damage),
    /// The system cannot read it.
    Io(std::io::Error),
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Two bytes, the higher one first.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

/// Four bytes, the highest one first.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..)?.first_chunk().copied()?))
}
