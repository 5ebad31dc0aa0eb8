//! Why nothing is done.

use std::io;

use crate::{EspPath, PathError};

/// Why there is no plan. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A folder cannot be read.
    #[error(
        "{volume}: {} cannot be read: {source}; run fsck.fat on the file system, or mount it again",
        at(folder)
    )]
    Look {
        /// The file system.
        volume: String,
        /// The folder; the root when none is given.
        folder: Option<EspPath>,
        /// What the system says.
        source: io::Error,
    },
    /// Something is there twice under names that are the same on FAT.
    #[error(
        "{volume}: \"{path}\" and \"{other}\" are one name on FAT, and both are there: this is no FAT file system, or a damaged one; run fsck.fat"
    )]
    SameName {
        /// The file system.
        volume: String,
        /// One.
        path: EspPath,
        /// The other.
        other: EspPath,
    },
    /// Folders in folders without an end.
    #[error(
        "{volume}: \"{path}\" lies too deep: a folder of a damaged file system may contain itself; run fsck.fat"
    )]
    Deep {
        /// The file system.
        volume: String,
        /// The path.
        path: EspPath,
    },
    /// What is desired has a path that FAT has not.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Two files are desired whose names are the same on FAT, or one in the place of another's folder.
    #[error(
        "\"{path}\" and \"{other}\" cannot both be there: FAT does not tell upper from lower case, and a file is no folder; rename one of them"
    )]
    Collision {
        /// One.
        path: EspPath,
        /// The other.
        other: EspPath,
    },
    /// A desired name looks like those that FAT makes beside long names, or is ours for files that are being written.
    #[error(
        "\"{path}\": FAT makes such a name itself, or it is one under which files are being written; choose another"
    )]
    Reserved {
        /// The path.
        path: EspPath,
    },
    /// An entry is desired under a name with a counter.
    #[error("\"{path}\": the counter of an entry is not part of its desired name; leave it out")]
    Counted {
        /// The path.
        path: EspPath,
    },
    /// A desired name has letters whose case every system folds by its own rules.
    #[error(
        "\"{path}\": only ASCII names are the same for every system that reads FAT; choose another"
    )]
    NotAscii {
        /// The path.
        path: EspPath,
    },
    /// A desired file is larger than FAT has.
    #[error("\"{path}\" has {size} bytes, and FAT32 has no files of 4 GiB; make it smaller")]
    Large {
        /// The path.
        path: EspPath,
        /// Its size in bytes.
        size: u64,
    },
    /// Something else is there under the name of a desired file, or of its folder.
    #[error(
        "{volume}: \"{path}\" is {what}, where {wanted} is to be; look what put it there, and remove it"
    )]
    InTheWay {
        /// The file system.
        volume: String,
        /// The path.
        path: EspPath,
        /// What is there.
        what: &'static str,
        /// What is to be there.
        wanted: &'static str,
    },
    /// There is not enough room.
    #[error(
        "{volume}: {needed} bytes are needed, {reserve} are to stay free, and {free} are free; garbage that goes afterwards holds {garbage}: keep fewer generations, or install the present ones once more without the new one, or make the partition larger"
    )]
    Full {
        /// The file system.
        volume: String,
        /// What is written before anything goes, in bytes, rounded up to clusters.
        needed: u64,
        /// What is to stay free, in bytes.
        reserve: u64,
        /// What is free, in bytes, when leftovers of interrupted runs are gone.
        free: u64,
        /// What garbage holds that goes after the new files are there, in bytes.
        garbage: u64,
    },
}

fn at(folder: &Option<EspPath>) -> String {
    match folder {
        Some(folder) => format!("the folder \"{folder}\""),
        None => "the root".to_owned(),
    }
}
