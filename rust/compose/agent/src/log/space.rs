//! How much of the disk a segment takes, and what for.

use super::entry::ENTRY_LIMIT;
use super::settings::Settings;

/// The space of a segment, in bytes: entries of every kind fill the first part, the reserve is for when no other segment can begin.
#[derive(Clone, Copy)]
pub(super) struct Space {
    pub(super) segment: u64,
    pub(super) reserve: u64,
}

impl Space {
    pub(super) const fn new(settings: &Settings) -> Self {
        Self {
            segment: settings.segment_size,
            reserve: settings.reserve,
        }
    }

    /// The same, for a segment that already has so many bytes: where settings became smaller, it may be more than they allow.
    pub(super) fn around(self, bytes: u64) -> Self {
        match bytes + ENTRY_LIMIT as u64 > self.whole() {
            true => Self {
                segment: bytes,
                ..self
            },
            false => self,
        }
    }

    /// The same, where no more than these bytes are to be had: all that `whole` counts, the reserve last.
    pub(super) const fn within(self, bytes: u64) -> Self {
        let reserve = match self.reserve < bytes {
            true => self.reserve,
            false => bytes,
        };
        Self {
            segment: bytes - reserve,
            reserve,
        }
    }

    /// All of it.
    pub(super) const fn whole(self) -> u64 {
        self.segment + self.reserve
    }
}
