//! Which entry systemd-boot starts when nobody touches the keyboard.

use super::Listed;

/// The version of systemd-boot, as it says it in `LoaderInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoaderVersion {
    /// The release.
    pub major: u32,
    /// The stable update of it.
    pub minor: u32,
}

impl LoaderVersion {
    /// Reads the EFI variable `LoaderInfo`, or the mark in the program: `systemd-boot 257.13-1~deb13u1`.
    pub fn read(info: &str) -> Option<Self> {
        let (_, version) = info.split_once("systemd-boot ")?;
        let mut numbers = version.split(|character: char| !character.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        let has_minor = version.trim_start_matches(|character: char| character.is_ascii_digit());
        let minor = numbers.next().filter(|_| has_minor.starts_with('.'));
        Some(Self {
            major,
            minor: minor.and_then(|minor| minor.parse().ok()).unwrap_or(0),
        })
    }

    /// Whether `preferred` in `loader.conf` and the variable `LoaderEntryPreferred` mean something to it.
    pub fn knows_preferred(self) -> bool {
        self.major >= 260
    }

    /// Whether patterns are matched against names with their counters, or without. The change (systemd#38897) went into stable updates, too: known
    /// are 257.7 (with) and 257.13, 258.3, 259 (without); none where it is not.
    fn counters_in_ids(self) -> Option<bool> {
        match (self.major, self.minor) {
            (..=254, _) | (257, ..=7) => Some(true),
            (257, 13..) | (258, 3..) | (259.., _) => Some(false),
            _ => None,
        }
    }
}

/// What asks for an entry: patterns of names.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes<'a> {
    /// The EFI variable `LoaderEntryOneShot`.
    pub one_shot: Option<&'a str>,
    /// The EFI variable `LoaderEntryPreferred`.
    pub preferred_variable: Option<&'a str>,
    /// `preferred` in `loader.conf`.
    pub preferred: Option<&'a str>,
    /// The EFI variable `LoaderEntryDefault`.
    pub default_variable: Option<&'a str>,
    /// `default` in `loader.conf`.
    pub default: Option<&'a str>,
    /// The EFI variable `LoaderEntryLastBooted`, which `@saved` stands for.
    pub last_booted: Option<&'a str>,
}

/// Which entry is started by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// This one, by its index.
    Entry(usize),
    /// One of these, by how this release of systemd-boot was built: an entry is asked for by name, and has a counter.
    Either(usize, usize),
}

/// Which of these entries, in the menu's order, systemd-boot starts by itself; none when there is no entry. Entries that the loader finds by
/// itself (Windows, the firmware's setup) are not among them: it never starts one without being asked.
///
/// A one-shot wish comes first, then what is preferred and not bad, then the default though it be bad, then the first entry.
pub fn selected(
    entries: &[Listed],
    wishes: &Wishes<'_>,
    loader: LoaderVersion,
) -> Option<Selection> {
    let by = |counters: bool| wanted(entries, wishes, loader, counters);
    if entries.is_empty() {
        return None;
    }
    Some(match loader.counters_in_ids() {
        Some(counters) => Selection::Entry(by(counters)),
        None if by(true) == by(false) => Selection::Entry(by(true)),
        None => Selection::Either(by(true), by(false)),
    })
}

fn wanted(entries: &[Listed], wishes: &Wishes<'_>, loader: LoaderVersion, counters: bool) -> usize {
    let resolve = |pattern: Option<&str>| match pattern {
        Some(special) if special.eq_ignore_ascii_case("@saved") => {
            wishes.last_booted.map(str::to_owned)
        }
        other => other.map(str::to_owned),
    };
    let find = |pattern: Option<&str>, even_bad: bool| {
        let pattern = resolve(pattern)?.to_ascii_lowercase();
        let fits = |entry: &Listed| {
            let name = if counters {
                entry.file_name()
            } else {
                entry.id.clone()
            };
            (even_bad || !entry.is_bad()) && matches(&pattern, &name)
        };
        entries.iter().position(fits)
    };
    let preferred =
        |pattern: Option<&str>| find(pattern.filter(|_| loader.knows_preferred()), false);
    find(wishes.one_shot, true)
        .or_else(|| preferred(wishes.preferred_variable))
        .or_else(|| preferred(wishes.preferred))
        .or_else(|| find(wishes.default_variable, true))
        .or_else(|| find(wishes.default, true))
        .unwrap_or(0)
}

/// Whether a pattern of `loader.conf` means this name, both in lower case: `*` is any text, `?` any character, `[…]` one of these, with ranges; `\` takes
/// the next character's meaning away.
pub fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    fits(&pattern, &name)
}

/// Steps through both; what failed after a `*` is tried again with one more character under it. Only the last `*` need be remembered.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut left, mut rest) = (pattern, name);
    let mut star: Option<(&[char], &[char])> = None;
    loop {
        if let Some(('*', after)) = left.split_first().map(|(first, after)| (*first, after)) {
            star = Some((after, rest));
            left = after;
            continue;
        }
        if left.is_empty() && rest.is_empty() {
            return true;
        }
        if let Some((next, after)) = one(left, rest) {
            (left, rest) = (next, after);
            continue;
        }
        let Some((after_star, from)) = star else {
            return false;
        };
        let Some((_, from)) = from.split_first() else {
            return false;
        };
        star = Some((after_star, from));
        (left, rest) = (after_star, from);
    }
}

/// Takes one character of the name, and what means it from the pattern.
fn one<'p, 'n>(pattern: &'p [char], name: &'n [char]) -> Option<(&'p [char], &'n [char])> {
    let (character, rest) = name.split_first()?;
    let (first, left) = pattern.split_first()?;
    match first {
        '?' => Some((left, rest)),
        '[' => Some((class(left, *character)?, rest)),
        '\\' => {
            let (literal, left) = left.split_first()?;
            (literal == character).then_some((left, rest))
        }
        literal => (literal == character).then_some((left, rest)),
    }
}

/// The pattern after a class `[…]`, of which the opening bracket is taken already, when the character is in it. A `]` that comes first is one of
/// the class.
fn class(pattern: &[char], character: char) -> Option<&[char]> {
    let end = pattern.iter().skip(1).position(|found| *found == ']')? + 1;
    let (members, after) = pattern.split_at_checked(end)?;
    let (_, after) = after.split_first()?;
    has(members, character).then_some(after)
}

fn has(members: &[char], character: char) -> bool {
    match members {
        [low, '-', high, rest @ ..] => (*low..=*high).contains(&character) || has(rest, character),
        [member, rest @ ..] => *member == character || has(rest, character),
        [] => false,
    }
}
