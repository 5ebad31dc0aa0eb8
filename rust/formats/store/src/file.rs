//! Files below store paths.

use std::fmt;
use std::str::FromStr;

use crate::path::{STORE_DIR, StorePath, StorePathError, shown};

/// A store path or a file below one, canonical: absolute, no empty component, no `.`, no `..`.
///
/// The text is checked, not the file system: what it names may be missing or a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreFile {
    root: StorePath,
    text: String,
}

/// Why a text names no file of the store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFileError {
    /// It does not begin with `/`.
    #[error("`{}` is a relative path: write the whole path, from /nix/store on", shown(.0))]
    Relative(String),
    /// A component is empty, `.` or `..`, or holds a NUL: the path could name something else than it seems to.
    #[error("`{}` is not canonical: it has an empty, `.` or `..` component or a NUL", shown(.0))]
    NotCanonical(String),
    /// What it begins with is no store path.
    #[error(transparent)]
    Root(#[from] StorePathError),
}

impl StoreFile {
    /// Checks a text. Total: any text gives a file or a named error.
    pub fn parse(text: &str) -> Result<Self, StoreFileError> {
        let components = text
            .strip_prefix('/')
            .ok_or_else(|| StoreFileError::Relative(text.to_owned()))?;
        if components
            .split('/')
            .any(|component| matches!(component, "" | "." | ".."))
            || text.contains('\0')
        {
            return Err(StoreFileError::NotCanonical(text.to_owned()));
        }
        let root = StorePath::parse(root_of(text))?;
        Ok(Self {
            root,
            text: text.to_owned(),
        })
    }

    /// The store path that the file lies in (or is).
    pub fn store_path(&self) -> &StorePath {
        &self.root
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The text up to the component after the store directory.
fn root_of(text: &str) -> &str {
    let below = text
        .get(STORE_DIR.len() + 1..)
        .and_then(|rest| rest.find('/'));
    below
        .and_then(|length| text.get(..STORE_DIR.len() + 1 + length))
        .unwrap_or(text)
}

impl From<StorePath> for StoreFile {
    fn from(root: StorePath) -> Self {
        Self {
            text: root.as_str().to_owned(),
            root,
        }
    }
}

impl FromStr for StoreFile {
    type Err = StoreFileError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for StoreFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl AsRef<std::path::Path> for StoreFile {
    fn as_ref(&self) -> &std::path::Path {
        self.text.as_ref()
    }
}

crate::text::json_string!(StoreFile, "A store path or a file below one, canonical");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOT: &str = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-linux";

    #[test]
    fn knows_the_store_path_of_a_file() {
        let kernel = StoreFile::parse(&format!("{ROOT}/boot/bzImage")).unwrap();
        assert_eq!(kernel.store_path().as_str(), ROOT);
        assert_eq!(StoreFile::parse(ROOT).unwrap().store_path().as_str(), ROOT);
    }

    #[test]
    fn refuses_paths_that_could_name_something_else() {
        for tail in ["/", "//init", "/./init", "/../init", "/a/..", "/a\0b"] {
            let refused = StoreFile::parse(&format!("{ROOT}{tail}")).unwrap_err();
            assert!(matches!(refused, StoreFileError::NotCanonical(_)), "{tail}");
        }
        assert!(matches!(
            StoreFile::parse("init"),
            Err(StoreFileError::Relative(_))
        ));
        for outside in [
            "/",
            "/boot/vmlinuz",
            "/nix/store",
            "/nix/store/linux/bzImage",
            "/run/current-system/kernel",
            "/nix/störe/a",
        ] {
            assert!(StoreFile::parse(outside).is_err(), "{outside}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_prints_what_it_read(text in "(/nix/store/)?([0-9a-d]{32}-)?\\PC{0,20}") {
            if let Ok(file) = StoreFile::parse(&text) {
                prop_assert_eq!(file.as_str(), &text);
                prop_assert!(text.starts_with(file.store_path().as_str()));
            }
        }
    }
}
