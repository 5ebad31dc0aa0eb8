//! The names of our entries' files.
//!
//! `nixos-[-<profile>-]<generation>[--<specialisation>]-<hash>[+<left>[-<done>]].efi` (or `.conf`). The empty place before a profile and before a
//! specialisation is what sorts them: in the boot loader's order of versions, `-` is older than any letter and digit.

use std::fmt;
use std::str::FromStr;

use crate::counter::split_stem;
use crate::{BootCount, EspPath, PathError};

/// The name of an entry's file, in its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryName {
    /// The profile; none for `system`.
    pub profile: Option<String>,
    /// The generation's number in its profile.
    pub generation: u64,
    /// The specialisation; none for the generation itself.
    pub specialisation: Option<String>,
    /// The first half of the SHA-256 of the file's content.
    pub hash: [u8; 16],
    /// The boot counter; none when the entry is good, or boots are not counted.
    pub count: Option<BootCount>,
    /// Which kind of entry it is.
    pub kind: EntryKind,
}

/// The two kinds of entries of the Boot Loader Specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A text in `loader/entries` that names kernel and initrds.
    Type1,
    /// A unified kernel image in `EFI/Linux`.
    Type2,
}

impl EntryKind {
    /// The folder in which the boot loader looks for entries of this kind.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Type1 => "loader/entries",
            Self::Type2 => "EFI/Linux",
        }
    }

    /// How the names of these entries end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Type1 => ".conf",
            Self::Type2 => ".efi",
        }
    }
}

/// A text is no name of one of our entries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no entry that Touchstone wrote: those are named nixos-[-PROFILE-]GENERATION[--SPECIALISATION]-HASH[+LEFT[-DONE]].efi or .conf"
)]
pub struct EntryNameError(String);

/// How the names of all our entries begin.
pub const PREFIX: &str = "nixos-";
/// Hexadecimal digits of the hash.
const HASH_DIGITS: usize = 32;

impl EntryName {
    /// Where the file lies, with its counter.
    ///
    /// # Errors
    /// [`PathError::Long`], for a profile or specialisation of an extraordinarily long name.
    pub fn path(&self) -> Result<EspPath, PathError> {
        EspPath::parse(&format!("{}/{self}", self.kind.folder()))
    }

    /// The name with another counter, or with none.
    #[must_use]
    pub fn counting(&self, count: Option<BootCount>) -> Self {
        Self {
            count,
            ..self.clone()
        }
    }

    /// By which boot loader and `bootctl` know the entry: its name without the counter.
    pub fn id(&self) -> String {
        self.counting(None).to_string()
    }
}

impl FromStr for EntryName {
    type Err = EntryNameError;

    /// Reads a name as FAT compares names: upper and lower case are the same. There is one name for each entry, so what is not written as
    /// [`fmt::Display`] writes it is refused.
    fn from_str(text: &str) -> Result<Self, EntryNameError> {
        let folded = text.to_ascii_lowercase();
        let name = read(&folded).filter(|name| name.to_string() == folded);
        name.ok_or_else(|| EntryNameError(text.to_owned()))
    }
}

fn read(name: &str) -> Option<EntryName> {
    let (stem, kind) = [EntryKind::Type1, EntryKind::Type2]
        .into_iter()
        .find_map(|kind| Some((name.strip_suffix(kind.extension())?, kind)))?;
    let (id, count) = split_stem(stem);
    let rest = id.strip_prefix(PREFIX)?;
    let (profile, rest) = match rest.strip_prefix('-') {
        Some(rest) => {
            let (profile, rest) = rest.split_once('-')?;
            (Some(unescape(profile)?), rest)
        }
        None => (None, rest),
    };
    let (generation, rest) = rest.split_once('-')?;
    let (specialisation, hash) = match rest.strip_prefix('-') {
        Some(rest) => {
            let (specialisation, hash) = rest.split_once('-')?;
            (Some(unescape(specialisation)?), hash)
        }
        None => (None, rest),
    };
    Some(EntryName {
        profile,
        generation: generation.parse().ok()?,
        specialisation,
        hash: read_hash(hash)?,
        count,
        kind,
    })
}

fn read_hash(digits: &str) -> Option<[u8; 16]> {
    if digits.len() != HASH_DIGITS {
        return None;
    }
    let bytes = data_encoding::HEXLOWER.decode(digits.as_bytes()).ok()?;
    bytes.try_into().ok()
}

impl fmt::Display for EntryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(PREFIX)?;
        if let Some(profile) = &self.profile {
            write!(formatter, "-{}-", escape(profile))?;
        }
        write!(formatter, "{}-", self.generation)?;
        if let Some(specialisation) = &self.specialisation {
            write!(formatter, "-{}-", escape(specialisation))?;
        }
        data_encoding::HEXLOWER.encode_write(&self.hash, formatter)?;
        if let Some(count) = self.count {
            write!(formatter, "{count}")?;
        }
        formatter.write_str(self.kind.extension())
    }
}

/// What a name of a profile or specialisation becomes in a file name, and in a sort key: `a` to `z`, digits and dots stay, any other byte is `_` and two
/// hexadecimal digits. So two names that FAT cannot tell apart stay two, and none holds a `-`, `+` or `/`.
pub fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("_{byte:02x}")),
        }
    }
    escaped
}

/// The name that [`escape`] made this of; none when it made it of no name, or of an empty one.
fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'_' => {
                let (digits, after) = after.split_at_checked(2)?;
                bytes.extend(data_encoding::HEXLOWER.decode(digits).ok()?);
                after
            }
            _ => {
                bytes.push(*first);
                after
            }
        };
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|name| !name.is_empty())
}
