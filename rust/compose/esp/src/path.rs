//! Paths on the EFI system partition.

use std::fmt;

/// A path below the root of a FAT file system: components parted by `/`, none empty, `.` or `..`, every one a valid long name.
///
/// Comparison is that of FAT: upper and lower case of ASCII letters are the same.
#[derive(Clone, Debug)]
pub struct EspPath(String);

/// Why a text is no [`EspPath`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It has no component, or one that is empty, `.` or `..`.
    #[error(
        "\"{0}\" is no path on the EFI system partition: it must be relative, without empty, `.` or `..` components"
    )]
    Component(String),
    /// A component has a character that FAT has not.
    #[error("\"{path}\": FAT has no {character:?} in names")]
    Character {
        /// The whole path.
        path: String,
        /// The character.
        character: char,
    },
    /// A component is longer than 255 UTF-16 units.
    #[error("\"{0}\": a name on FAT has 255 UTF-16 units at most")]
    Long(String),
    /// A component ends in a dot or a space, which FAT drops.
    #[error("\"{0}\": a name on FAT cannot end in a dot or a space")]
    End(String),
}

/// What FAT has not in long names, beside control characters.
const FORBIDDEN: &str = "\"*/:<>?\\|";
const LONGEST: usize = 255;

impl EspPath {
    /// Checks a text.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn parse(text: &str) -> Result<Self, PathError> {
        for component in text.split('/') {
            check(text, component)?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, with the case that it was made with.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The folder in which it lies; none when that is the root.
    pub fn folder(&self) -> Option<EspPath> {
        let (folder, _) = self.0.rsplit_once('/')?;
        Some(Self(folder.to_owned()))
    }

    /// The folders above it, the nearest first; not the root.
    pub fn folders(&self) -> impl Iterator<Item = EspPath> {
        std::iter::successors(self.folder(), EspPath::folder)
    }

    /// Another name in the same folder.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn beside(&self, name: &str) -> Result<EspPath, PathError> {
        match self.folder() {
            Some(folder) => folder.join(name),
            None => EspPath::parse(name),
        }
    }

    /// A path below this one.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn join(&self, below: &str) -> Result<EspPath, PathError> {
        EspPath::parse(&format!("{}/{below}", self.0))
    }

    fn folded(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.bytes().map(|byte| byte.to_ascii_lowercase())
    }
}

fn check(path: &str, component: &str) -> Result<(), PathError> {
    if matches!(component, "" | "." | "..") {
        return Err(PathError::Component(path.to_owned()));
    }
    let wrong = |character: &char| character.is_control() || FORBIDDEN.contains(*character);
    if let Some(character) = component.chars().find(wrong) {
        return Err(PathError::Character {
            path: path.to_owned(),
            character,
        });
    }
    if component.encode_utf16().count() > LONGEST {
        return Err(PathError::Long(path.to_owned()));
    }
    if component.ends_with(['.', ' ']) {
        return Err(PathError::End(path.to_owned()));
    }
    Ok(())
}

impl PartialEq for EspPath {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for EspPath {}

impl Ord for EspPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.folded().cmp(other.folded())
    }
}

impl PartialOrd for EspPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for EspPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
