//! The first 100 bytes of a database.

use super::{u16_at, u32_at};
use crate::Damage;

/// Length in bytes.
pub(super) const LENGTH: usize = 100;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Fewest bytes of a page that SQLite works with.
const USABLE_MIN: u32 = 480;

/// What a reader needs of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of a page: a power of two, 512 to 65 536.
    pub(super) page_size: u32,
    /// Bytes of a page that hold something.
    pub(super) usable: u32,
    /// Whether changes go to a write-ahead log first.
    pub(super) logged: bool,
    /// Counts transactions, where there is no write-ahead log.
    pub(super) changes: u32,
}

impl Header {
    /// Reads the header. Total.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Damage> {
        if !bytes.starts_with(MAGIC) || bytes.len() < LENGTH {
            return Err(Damage::Magic);
        }
        let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
        // 1 stands for what two bytes cannot say.
        let page_size = match u16_at(bytes, 16).unwrap_or_default() {
            1 => 65_536,
            size => u32::from(size),
        };
        if !page_size.is_power_of_two() || page_size < 512 {
            return Err(Damage::Header("a page size that does not exist"));
        }
        let usable = page_size - u32::from(byte(20));
        if usable < USABLE_MIN {
            return Err(Damage::Header("pages without room"));
        }
        if [byte(21), byte(22), byte(23)] != [64, 32, 32] {
            return Err(Damage::Header("payload fractions that do not exist"));
        }
        let logged = match byte(19) {
            1 => false,
            2 => true,
            _ => return Err(Damage::Header("a version that is not known")),
        };
        // 0: nothing was written yet, and there is no table.
        if !matches!(u32_at(bytes, 56), Some(0 | 1)) {
            return Err(Damage::Header("a text encoding other than UTF-8"));
        }
        Ok(Self {
            page_size,
            usable,
            logged,
            changes: u32_at(bytes, 24).unwrap_or_default(),
        })
    }
}
