//! `loader/loader.conf`, the settings of systemd-boot.
//!
//! Sources: loader.conf(5) and the behaviour of systemd-boot 252 to 262.

use std::fmt;

use crate::lines::{BLANKS, setting};

/// A `loader.conf`. Lines that nobody changes stay as they are: comments, and keys that nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoaderConf {
    lines: Vec<String>,
}

/// A setting that systemd-boot would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// A value that the key cannot have.
    #[error("loader.conf: {key} cannot be {value:?}: it takes {wanted}")]
    Value {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it may be.
        wanted: String,
    },
    /// A key that no systemd-boot up to 262 knows.
    #[error("loader.conf: systemd-boot knows no {0:?}; its keys are in loader.conf(5)")]
    Key(String),
}

/// What a key takes.
enum Takes {
    Boolean,
    /// A number up to this, or a word.
    Number(u64, &'static [&'static str]),
    Word(&'static [&'static str]),
    BooleanOr(&'static str),
    /// A pattern of entry names, or this word.
    Pattern,
}

const BOOLEANS: [&str; 12] = [
    "1", "yes", "y", "true", "t", "on", "0", "no", "n", "false", "f", "off",
];

/// The keys, by the first version of systemd-boot (of those from 252 on) that knows them.
const KEYS: [(&str, u32, Takes); 17] = [
    (
        "timeout",
        252,
        Takes::Number(
            u32::MAX as u64 - 3,
            &["menu-force", "menu-hidden", "menu-disabled"],
        ),
    ),
    ("default", 252, Takes::Pattern),
    ("preferred", 260, Takes::Pattern),
    ("editor", 252, Takes::Boolean),
    ("auto-entries", 252, Takes::Boolean),
    ("auto-firmware", 252, Takes::Boolean),
    ("auto-poweroff", 255, Takes::Boolean),
    ("auto-reboot", 255, Takes::Boolean),
    ("beep", 252, Takes::Boolean),
    ("reboot-for-bitlocker", 252, Takes::Boolean),
    ("reboot-on-error", 258, Takes::BooleanOr("auto")),
    (
        "secure-boot-enroll",
        252,
        Takes::Word(&["off", "manual", "if-safe", "force"]),
    ),
    (
        "secure-boot-enroll-action",
        258,
        Takes::Word(&["reboot", "shutdown"]),
    ),
    (
        "secure-boot-enroll-timeout-sec",
        259,
        Takes::Number(u64::MAX, &["hidden"]),
    ),
    (
        "console-mode",
        252,
        Takes::Number(i64::MAX as u64, &["auto", "max", "keep"]),
    ),
    (
        "log-level",
        259,
        Takes::Word(&[
            "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
        ]),
    ),
    // Gone since 253, which skips it.
    (
        "random-seed-mode",
        252,
        Takes::Word(&["off", "with-system-token", "always"]),
    ),
];

impl LoaderConf {
    /// Reads a `loader.conf`. Nothing is refused: systemd-boot skips what it does not understand. A carriage return ends a line, too.
    pub fn read(text: &str) -> Self {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        Self {
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    /// The keys and values, in the file's order.
    pub fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| setting(line, BLANKS))
    }

    /// The value of a key that counts: the last one.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.settings()
            .filter_map(|(found, value)| (found == key).then_some(value))
            .last()
    }

    /// Gives a key this value: in the line that counted, or in a new one at the end. Its other lines go.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        check(key, value)?;
        let line = format!("{key} {value}");
        let counts = self.lines.iter().rposition(|line| sets(line, key));
        match counts.and_then(|index| self.lines.get_mut(index)) {
            Some(there) => *there = line.clone(),
            None => self.lines.push(line.clone()),
        }
        self.lines
            .retain(|there| *there == line || !sets(there, key));
        Ok(())
    }

    /// Removes a key.
    pub fn unset(&mut self, key: &str) {
        self.lines.retain(|line| !sets(line, key));
    }
}

fn sets(line: &str, key: &str) -> bool {
    setting(line, BLANKS).is_some_and(|(found, _)| found == key)
}

/// The first systemd-boot, of those from 252 on, that knows this key; none when 262 does not.
pub fn known_since(key: &str) -> Option<u32> {
    let (_, since, _) = KEYS.iter().find(|(name, ..)| *name == key)?;
    Some(*since)
}

/// Whether systemd-boot takes this setting.
///
/// # Errors
/// [`SettingError`].
pub fn check(key: &str, value: &str) -> Result<(), SettingError> {
    let Some((_, _, takes)) = KEYS.iter().find(|(name, ..)| *name == key) else {
        return Err(SettingError::Key(key.to_owned()));
    };
    let line = format!("{key} {value}");
    let whole = !value.contains(['\n', '\r', '\0']);
    if whole && setting(&line, BLANKS) == Some((key, value)) && takes.has(value) {
        return Ok(());
    }
    Err(SettingError::Value {
        key: key.to_owned(),
        value: value.to_owned(),
        wanted: takes.to_string(),
    })
}

impl Takes {
    fn has(&self, value: &str) -> bool {
        match self {
            Self::Boolean => BOOLEANS.contains(&value),
            Self::BooleanOr(word) => value == *word || BOOLEANS.contains(&value),
            Self::Word(words) => words.contains(&value),
            Self::Number(most, words) => words.contains(&value) || number(value, *most),
            Self::Pattern => !value.is_empty() && (value == "@saved" || !value.starts_with('@')),
        }
    }
}

fn number(value: &str, most: u64) -> bool {
    let only_digits = value.bytes().all(|byte| byte.is_ascii_digit());
    only_digits && value.parse().is_ok_and(|number: u64| number <= most)
}

impl fmt::Display for Takes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => formatter.write_str("yes or no"),
            Self::BooleanOr(word) => write!(formatter, "yes, no or {word}"),
            Self::Word(words) => formatter.write_str(&words.join(", ")),
            Self::Number(most, words) => {
                write!(formatter, "a number up to {most}, {}", words.join(", "))
            }
            Self::Pattern => formatter.write_str("a pattern of entry names, or @saved"),
        }
    }
}

impl fmt::Display for LoaderConf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines
            .iter()
            .try_for_each(|line| writeln!(formatter, "{line}"))
    }
}
