//! Files into which nobody looks: what they hold is not covered.

use schemars::JsonSchema;
use serde::Serialize;

/// A form that hides what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotLookedInto {
    /// gzip, bzip2, xz, lzma, zstd, lz4, compress.
    Compressed,
    /// ar, cpio, tar, zip, squashfs.
    Archive,
    /// A PE image: a UKI, a kernel, an EFI program.
    PeImage,
    /// Java's classes and WebAssembly, which only an interpreter runs, and which no mark is known of.
    ByteCode,
}

use NotLookedInto::{Archive, ByteCode, Compressed, PeImage};

/// What they begin with.
const BEGINNINGS: [(&[u8], NotLookedInto); 16] = [
    (b"\x1f\x8b", Compressed),
    (b"\x1f\x9d", Compressed),
    (b"BZh", Compressed),
    (b"\xfd7zXZ\0", Compressed),
    (b"\x5d\0\0", Compressed),
    (b"\x28\xb5\x2f\xfd", Compressed),
    (b"\x04\x22\x4d\x18", Compressed),
    (b"\x02\x21\x4c\x18", Compressed),
    (b"!<arch>\n", Archive),
    (b"07070", Archive),
    (b"PK\x03\x04", Archive),
    (b"hsqs", Archive),
    (b"\x0d\0\0\0\0\0\0\0nix-archive-1", Archive),
    (b"MZ", PeImage),
    (b"\xca\xfe\xba\xbe", ByteCode),
    (b"\0asm", ByteCode),
];

/// Where tar archives have their mark.
const TAR: (usize, &[u8]) = (257, b"ustar");

impl NotLookedInto {
    /// The form of a file that begins with these bytes, if it hides anything.
    pub(super) fn of(head: &[u8]) -> Option<NotLookedInto> {
        let (place, mark) = TAR;
        if head.get(place..).is_some_and(|rest| rest.starts_with(mark)) {
            return Some(Archive);
        }
        let found = BEGINNINGS.iter().find(|(begin, _)| head.starts_with(begin));
        found.map(|(_, form)| *form)
    }
}
