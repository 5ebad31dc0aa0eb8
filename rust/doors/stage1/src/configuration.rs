//! `/etc/touchstone/stage1.conf`: lines `word value`, part of the generation's own initrd and thus of the signed, measured image.
//!
//! The parser is total and strict: what it does not know, and what comes twice, is an error.

use std::path::PathBuf;

use touchstone_store::manifest::Class;
use touchstone_store::{PublicKey, distinct_contents};

use crate::text::printable;

/// Where it lies.
pub const FILE: &str = "/etc/touchstone/stage1.conf";
/// The longest configuration that is read, in bytes.
pub const LIMIT: u64 = 1 << 18;
/// Credentials that a configuration may name.
const CREDENTIALS: usize = 256;

/// What the initrd's builder decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// The keys that are trusted.
    pub keys: Vec<PublicKey>,
    /// How many of them, different in content, must have signed each path: at least one, at most as many as there are.
    pub sigs_needed: usize,
    /// What happens when the answer is no.
    pub on_failure: OnFailure,
    /// Where the manifest is.
    pub manifest: Carrier,
    /// The machine class that the manifest as a whole must be signed for.
    pub class: Option<Class>,
    /// The register that is extended after success: 8 to 15.
    pub measure: Option<u32>,
    /// Where the root file system is mounted.
    pub sysroot: PathBuf,
    /// The program that the gate becomes.
    pub init: PathBuf,
    /// Names of credentials that the configuration's own units use, beyond the harmless ones.
    pub credentials: Vec<String>,
}

/// What happens when the answer is no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailure {
    /// The machine stops, with the reason on its screen.
    Halt,
    /// The machine starts again, so that boot counting falls back.
    Reboot,
    /// For development: a shell, after all registers were made useless.
    Shell(PathBuf),
}

/// Where the manifest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// In the image, as `/.touchstone/manifest`.
    Image,
    /// On the EFI system partition, as a credential beside the image.
    Esp,
    /// On the root file system, where the installer puts it.
    Root,
}

/// Why a text is no configuration. The line is counted from one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// Bytes beyond printable ASCII, or no end of line at the end.
    #[error("line {0} is not printable ASCII that ends in a line feed")]
    Text(usize),
    /// A line without value.
    #[error("line {line}: `{word}` has no value: lines are `word value`")]
    NoValue {
        /// The line.
        line: usize,
        /// Its word.
        word: String,
    },
    /// A word that nobody knows.
    #[error("line {line}: nobody knows the word `{word}`")]
    Unknown {
        /// The line.
        line: usize,
        /// Its word.
        word: String,
    },
    /// A word that comes twice.
    #[error("line {line}: `{word}` comes twice")]
    Twice {
        /// The line.
        line: usize,
        /// Its word.
        word: &'static str,
    },
    /// A value that cannot be.
    #[error("line {line}: `{word}` must be {expected}, not `{value}`")]
    Value {
        /// The line.
        line: usize,
        /// Its word.
        word: &'static str,
        /// What the value must be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
    /// A key that is none.
    #[error("line {line}: {source}")]
    Key {
        /// The line.
        line: usize,
        /// What is wrong with it.
        source: touchstone_store::KeyError,
    },
    /// A word that must be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// More signatures than there are keys.
    #[error(
        "`sigs-needed` asks for {needed} signatures, and there are {keys} keys of different content"
    )]
    TooManySignatures {
        /// How many are needed.
        needed: usize,
        /// How many keys differ in content.
        keys: usize,
    },
    /// A shell is named that is never started.
    #[error("`shell` is given and `on-failure` is not `shell`")]
    ShellUnused,
}

/// Reads a configuration.
///
/// # Errors
/// [`ConfigurationError`].
pub fn parse(text: &[u8]) -> Result<Configuration, ConfigurationError> {
    let mut words = Words::default();
    let mut rest = text;
    let mut line = 0;
    while !rest.is_empty() {
        line += 1;
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (this, next) = end
            .and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)))
            .ok_or(ConfigurationError::Text(line))?;
        rest = next;
        let this = std::str::from_utf8(this)
            .ok()
            .filter(|this| this.bytes().all(|byte| matches!(byte, b' '..=b'~')))
            .ok_or(ConfigurationError::Text(line))?;
        if !this.is_empty() && !this.starts_with('#') {
            words.take(line, this)?;
        }
    }
    words.configuration()
}

/// The values as they come.
#[derive(Default)]
struct Words {
    version: Option<()>,
    keys: Vec<PublicKey>,
    sigs_needed: Option<usize>,
    on_failure: Option<Action>,
    manifest: Option<Carrier>,
    class: Option<Class>,
    measure: Option<u32>,
    sysroot: Option<PathBuf>,
    init: Option<PathBuf>,
    shell: Option<PathBuf>,
    credentials: Vec<String>,
}

enum Action {
    Halt,
    Reboot,
    Shell,
}

impl Words {
    fn take(&mut self, line: usize, text: &str) -> Result<(), ConfigurationError> {
        let (word, value) = text.split_once(' ').unwrap_or((text, ""));
        if value.is_empty() {
            let word = printable(word);
            return Err(ConfigurationError::NoValue { line, word });
        }
        let at = |word, expected| At {
            line,
            word,
            expected,
            value,
        };
        match word {
            "version" => at("version", "1").once(&mut self.version, |v| (v == "1").then_some(())),
            "key" => {
                let key = PublicKey::parse(value);
                self.keys
                    .push(key.map_err(|source| ConfigurationError::Key { line, source })?);
                Ok(())
            }
            "sigs-needed" => at("sigs-needed", "a number from 1 on, in digits")
                .once(&mut self.sigs_needed, |v| number(v, 1, 1 << 16)),
            "on-failure" => {
                at("on-failure", "halt, reboot or shell").once(&mut self.on_failure, |v| match v {
                    "halt" => Some(Action::Halt),
                    "reboot" => Some(Action::Reboot),
                    "shell" => Some(Action::Shell),
                    _ => None,
                })
            }
            "manifest" => {
                at("manifest", "image, esp or root").once(&mut self.manifest, |v| match v {
                    "image" => Some(Carrier::Image),
                    "esp" => Some(Carrier::Esp),
                    "root" => Some(Carrier::Root),
                    _ => None,
                })
            }
            "class" => at("class", "1 to 64 of the characters A-Z a-z 0-9 . _ -")
                .once(&mut self.class, |v| v.parse().ok()),
            "measure" => at("measure", "a register from 8 to 15").once(&mut self.measure, |v| {
                number(v, 8, 15).and_then(|pcr| pcr.try_into().ok())
            }),
            "sysroot" => at("sysroot", PATH).once(&mut self.sysroot, path),
            "init" => at("init", PATH).once(&mut self.init, path),
            "shell" => at("shell", PATH).once(&mut self.shell, path),
            "credential" => {
                let mut name = None;
                at("credential", "the name of a credential")
                    .once(&mut name, |v| is_credential(v).then(|| v.to_owned()))?;
                self.credentials.extend(name);
                match self.credentials.len() <= CREDENTIALS {
                    true => Ok(()),
                    false => Err(at("credential", "one of at most 256 names").wrong()),
                }
            }
            word => {
                let word = printable(word);
                Err(ConfigurationError::Unknown { line, word })
            }
        }
    }

    fn configuration(self) -> Result<Configuration, ConfigurationError> {
        use ConfigurationError::{Missing, ShellUnused, TooManySignatures};
        self.version.ok_or(Missing("version"))?;
        let needed = self.sigs_needed.ok_or(Missing("sigs-needed"))?;
        let keys = distinct_contents(&self.keys);
        if self.keys.is_empty() {
            return Err(Missing("key"));
        }
        if needed > keys {
            return Err(TooManySignatures { needed, keys });
        }
        let on_failure = match (self.on_failure.ok_or(Missing("on-failure"))?, self.shell) {
            (Action::Halt, None) => OnFailure::Halt,
            (Action::Reboot, None) => OnFailure::Reboot,
            (Action::Shell, Some(shell)) => OnFailure::Shell(shell),
            (Action::Shell, None) => return Err(Missing("shell")),
            (Action::Halt | Action::Reboot, Some(_)) => return Err(ShellUnused),
        };
        Ok(Configuration {
            keys: self.keys,
            sigs_needed: needed,
            on_failure,
            manifest: self.manifest.ok_or(Missing("manifest"))?,
            class: self.class,
            measure: self.measure,
            sysroot: self.sysroot.ok_or(Missing("sysroot"))?,
            init: self.init.ok_or(Missing("init"))?,
            credentials: self.credentials,
        })
    }
}

/// One line's value, and what it must be.
struct At<'a> {
    line: usize,
    word: &'static str,
    expected: &'static str,
    value: &'a str,
}

impl At<'_> {
    fn once<T>(
        self,
        place: &mut Option<T>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<(), ConfigurationError> {
        let (line, word) = (self.line, self.word);
        let value = read(self.value).ok_or_else(|| self.wrong())?;
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(ConfigurationError::Twice { line, word }),
        }
    }

    fn wrong(self) -> ConfigurationError {
        ConfigurationError::Value {
            line: self.line,
            word: self.word,
            expected: self.expected,
            value: printable(self.value),
        }
    }
}

const PATH: &str = "an absolute path without `.`, `..`, spaces and repeated slashes";

fn path(value: &str) -> Option<PathBuf> {
    let rest = value.strip_prefix('/')?;
    let usable = rest
        .split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.contains(' '));
    (usable && value.len() < 4096).then(|| PathBuf::from(value))
}

fn number(value: &str, least: usize, most: usize) -> Option<usize> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let number = value.parse().ok().filter(|_| digits)?;
    (least..=most).contains(&number).then_some(number)
}

/// Whether systemd takes a text for the name of a credential.
pub(crate) fn is_credential(name: &str) -> bool {
    let printable = name
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b':'));
    printable && !matches!(name, "" | "." | "..") && name.len() <= 255
}

#[cfg(test)]
mod tests;
