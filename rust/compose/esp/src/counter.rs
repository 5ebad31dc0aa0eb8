//! Boot counters in file names: `+<left>` or `+<left>-<done>` before the extension.
//!
//! Source: UAPI.1 Boot Loader Specification, "Boot counting".

use std::fmt;
use std::str::FromStr;

/// How often an entry may still be tried, and how often it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootCount {
    /// Attempts that are left; with none the entry is bad.
    pub left: u32,
    /// Attempts that were made; what is not written counts as none.
    pub done: Option<u32>,
}

/// What the boot loader thinks of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Assessment {
    /// It has no counter: it was blessed, or boots are not counted.
    Good,
    /// No attempt is left: it comes last in the menu.
    Bad,
    /// It is being tried.
    Indeterminate,
}

/// A text is no counter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no boot counter: it must be +<left> or +<left>-<done>, each at most {LARGEST}")]
pub struct CountError(String);

/// systemd-boot takes a larger number for a part of the name.
const LARGEST: u32 = i32::MAX as u32;

impl BootCount {
    /// The counter of an entry that was never tried.
    pub fn new(left: u32) -> Self {
        Self {
            left: left.min(LARGEST),
            done: None,
        }
    }

    /// What systemd-boot makes of it when it starts the entry.
    #[must_use]
    pub fn attempt(self) -> Self {
        let done = self.done.unwrap_or(0).saturating_add(1);
        Self {
            left: self.left.saturating_sub(1),
            done: Some(done.min(LARGEST)),
        }
    }

    /// What the boot loader thinks of an entry with this counter, or with none.
    pub fn assessment(count: Option<Self>) -> Assessment {
        match count {
            None => Assessment::Good,
            Some(Self { left: 0, .. }) => Assessment::Bad,
            Some(_) => Assessment::Indeterminate,
        }
    }

    /// Parts the name of an entry's file into the name without the counter, and the counter. The last `+` decides; where no counter and
    /// extension follow it, there is none.
    pub fn split(file_name: &str) -> (String, Option<Self>) {
        let (stem, extension) = file_name.split_at(stem_length(file_name));
        let (before, count) = split_stem(stem);
        (format!("{before}{extension}"), count)
    }
}

/// The length of a name before `.conf` or `.efi`, in any case.
fn stem_length(name: &str) -> usize {
    let is = |length: &usize, extension: &str| {
        name.get(*length..)
            .is_some_and(|end| end.eq_ignore_ascii_case(extension))
    };
    let stem = [".conf", ".efi"].into_iter().find_map(|extension| {
        let length = name.len().checked_sub(extension.len());
        length.filter(|length| is(length, extension))
    });
    stem.unwrap_or(name.len())
}

/// Parts a name without its extension.
pub(crate) fn split_stem(stem: &str) -> (&str, Option<BootCount>) {
    let parted = stem
        .rfind('+')
        .and_then(|plus| stem.split_at_checked(plus))
        .and_then(|(before, count)| Some((before, count.parse().ok()?)));
    match parted {
        Some((before, count)) => (before, Some(count)),
        None => (stem, None),
    }
}

/// The name of an entry's file with a counter.
pub(crate) fn join(id: &str, count: Option<BootCount>) -> String {
    let (stem, extension) = id.split_at(stem_length(id));
    let count = count.map(|count| count.to_string());
    format!("{stem}{}{extension}", count.unwrap_or_default())
}

impl FromStr for BootCount {
    type Err = CountError;

    /// Reads what systemd-boot reads: leading zeros count for nothing.
    fn from_str(text: &str) -> Result<Self, CountError> {
        read(text).ok_or_else(|| CountError(text.to_owned()))
    }
}

fn read(text: &str) -> Option<BootCount> {
    let numbers = text.strip_prefix('+')?;
    let (left, done) = match numbers.split_once('-') {
        Some((left, done)) => (left, Some(number(done)?)),
        None => (numbers, None),
    };
    Some(BootCount {
        left: number(left)?,
        done,
    })
}

fn number(digits: &str) -> Option<u32> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| only_digits)?;
    (number <= LARGEST).then_some(number)
}

impl fmt::Display for BootCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "+{}", self.left)?;
        match self.done {
            Some(done) => write!(formatter, "-{done}"),
            None => Ok(()),
        }
    }
}
