//! Who asks.

use std::fmt;

use serde::{Deserialize, Serialize};
use touchstone_store::{StorePath, StorePathError};

/// Who asks, as the agent knows it, never by what a request says: for the log and for messages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "client", deny_unknown_fields, rename_all = "camelCase")]
pub enum Identity {
    /// The build of a derivation: the socket was made for it, and only its sandbox leads there.
    Build {
        /// What is built.
        derivation: Derivation,
    },
    /// A process of this user, as the kernel says (`SO_PEERCRED`).
    User {
        /// The user's number.
        uid: u32,
        /// The number of its group.
        gid: u32,
        /// The user's name, where the machine knows one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build { derivation } => write!(out, "the build of {derivation}"),
            Self::User {
                name: Some(name), ..
            } => write!(out, "the user {name}"),
            Self::User { uid, .. } => write!(out, "the user with the number {uid}"),
        }
    }
}

/// The store path of a derivation: `/nix/store/….drv`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Derivation(StorePath);

/// What a derivation's name ends with.
const END: &str = ".drv";

/// A text that names no derivation.
#[derive(Debug, thiserror::Error)]
pub enum NotADerivation {
    /// It is no store path.
    #[error(transparent)]
    Path(#[from] StorePathError),
    /// It is the path of something else.
    #[error("{0} is no derivation: its name does not end with {END}")]
    Other(StorePath),
}

impl Derivation {
    /// The derivation of this path.
    ///
    /// # Errors
    /// [`NotADerivation`].
    pub fn parse(text: &str) -> Result<Self, NotADerivation> {
        let path = StorePath::parse(text)?;
        match path.name().strip_suffix(END) {
            Some(name) if !name.is_empty() => Ok(Self(path)),
            _ => Err(NotADerivation::Other(path)),
        }
    }

    /// The path of the file.
    pub fn path(&self) -> &StorePath {
        &self.0
    }

    /// The name, without `.drv`. Whoever writes a derivation chooses it.
    pub fn name(&self) -> &str {
        let name = self.0.name();
        name.strip_suffix(END).unwrap_or(name)
    }
}

impl fmt::Display for Derivation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl From<Derivation> for String {
    fn from(derivation: Derivation) -> String {
        derivation.to_string()
    }
}

impl TryFrom<String> for Derivation {
    type Error = NotADerivation;

    fn try_from(text: String) -> Result<Self, NotADerivation> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la";

    #[test]
    fn a_derivation_is_a_store_path_that_ends_with_drv() {
        let derivation = Derivation::parse(&format!("{HASH}-web.drv")).unwrap();
        assert_eq!(derivation.name(), "web");
        for other in ["-web", "-web.drv/x", "-.drv", ".drv", ""] {
            assert!(
                Derivation::parse(&format!("{HASH}{other}")).is_err(),
                "{other}"
            );
        }
        assert!(Derivation::parse("web.drv").is_err());
    }

    #[test]
    fn an_identity_is_written_and_read_again() {
        let derivation = Derivation::parse(&format!("{HASH}-web.drv")).unwrap();
        let user = |name: Option<&str>| Identity::User {
            uid: 7,
            gid: 8,
            name: name.map(str::to_owned),
        };
        for identity in [
            Identity::Build { derivation },
            user(None),
            user(Some("deploy")),
        ] {
            let text = serde_json::to_string(&identity).unwrap();
            assert_eq!(
                serde_json::from_str::<Identity>(&text).unwrap(),
                identity,
                "{text}"
            );
        }
        serde_json::from_str::<Identity>(r#"{"client":"build","derivation":"/etc/passwd"}"#)
            .unwrap_err();
    }
}
