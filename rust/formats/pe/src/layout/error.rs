//! Why a layout cannot be planned.

use super::Which;
use crate::{ReadError, SectionName};

/// Why an image cannot be changed as wanted: found before a byte is written.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The base image is signed: changing sections would break the signature.
    #[error("the base image is signed: give the unsigned one, and sign the result")]
    Signed,
    /// The base image breaks a rule of the format on which the writer relies.
    #[error("the base image: {0}")]
    Base(#[from] ReadError),
    /// Something other than a symbol table stands behind the sections.
    #[error(
        "the base image has {0} bytes behind its last section, which would be lost or misplaced"
    )]
    TrailingData(u64),
    /// The last section does not fill its last file block.
    #[error("the base image's last section ends at byte {0}, no multiple of FileAlignment")]
    UnalignedEnd(u64),
    /// The section table cannot grow: there is no room before `SizeOfHeaders`.
    #[error(
        "the base image has room for {free} more sections, {wanted} are wanted: use a stub with \
         larger headers"
    )]
    NoHeaderRoom {
        /// How many section headers still fit.
        free: usize,
        /// How many are to be added.
        wanted: usize,
    },
    /// The new content of an existing section is larger than its place, which is kept.
    #[error(
        "the section {name} of the base image has room for {room} bytes, its new content has {len}"
    )]
    NoRoomInPlace {
        /// The section.
        name: SectionName,
        /// Its place in bytes.
        room: u64,
        /// Its new content in bytes.
        len: u64,
    },
    /// The new content of a section would reach the next one in memory, where no section moves.
    #[error(
        "the section {name} has {room} bytes in memory before the next one, its new content has \
         {len}: remove the section and add it anew"
    )]
    NoRoomInMemory {
        /// The section.
        name: SectionName,
        /// From its address to the next section's, in bytes.
        room: u64,
        /// Its new content in bytes.
        len: u64,
    },
    /// The image, in the file or in memory, would be larger than 4 GiB.
    #[error(
        "the image would be larger than 4 GiB (at section {0}), which no PE image can be: give \
         smaller parts"
    )]
    TooLarge(SectionName),
    /// There is no such section to be replaced or removed.
    #[error("the base image has no section {0}")]
    NoSuchSection(Which),
    /// Several sections have this name.
    #[error("the base image has {count} sections {name}: say which one by its row")]
    AmbiguousSection {
        /// The name.
        name: SectionName,
        /// How many there are.
        count: usize,
    },
    /// A section is to be replaced or removed twice.
    #[error("the section {0} is to be changed twice: change it once")]
    ChangedTwice(SectionName),
    /// The program begins in a section that is to be removed or shortened.
    #[error("the program begins in section {0}, behind what would be left of it")]
    EntryPointLost(SectionName),
    /// Relocations, debug data and the like, which the headers name by their address, lie in a
    /// section that is to be removed or shortened.
    #[error("the headers name data in section {name} that would be lost (data directory {index})")]
    DirectoryLost {
        /// The section.
        name: SectionName,
        /// Which entry of the data directories, from 0.
        index: usize,
    },
    /// A section would move in an image whose debug data name places in the file.
    #[error(
        "the section {0} would move in the file, but the image has debug data that name places \
         in the file: strip it"
    )]
    DebugData(SectionName),
}
