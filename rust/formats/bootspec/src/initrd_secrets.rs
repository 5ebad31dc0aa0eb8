//! `org.nixos.initrd-secrets.v1`: which files of the machine are in the initrd before it starts (docs/org.nixos.initrd-secrets.v1.md).

use std::collections::BTreeMap;

use serde_json::Value;
use touchstone_store::json::{JsonError, Object};

use crate::{Extension, INITRD_SECRETS};

/// The longest name, in bytes: that of a file.
const NAME_MAX: usize = 255;
/// The longest path, in bytes: the kernel's, without the NUL.
const PATH_MAX: usize = 4095;
/// What stage 1 mounts something over: a file there would not be seen.
const COVERED: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];
/// Where everybody can read.
const STORE: &str = "/nix/store";

/// The secrets of an initrd: name → path, by name. Every rule of the specification holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InitrdSecrets(BTreeMap<String, String>);

/// Why an extension is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InitrdSecretsError {
    /// Not the JSON that it should be.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A name that could not be a file's or a credential's.
    #[error("in {INITRD_SECRETS}: `{}` is no name for a secret: 1 to 255 bytes, not `.` or `..`, without `/` and control characters", .0.escape_debug())]
    Name(String),
    /// A path that is not absolute or not canonical.
    #[error("in {INITRD_SECRETS}: the path of `{name}` is not absolute and canonical: `{}`", .path.escape_debug())]
    Path {
        /// The secret.
        name: String,
        /// Its path.
        path: String,
    },
    /// A path in the store, which everybody can read and which holds the content forever.
    #[error(
        "in {INITRD_SECRETS}: `{name}` lies in the Nix store, which everybody can read: keep secrets outside of it"
    )]
    InStore {
        /// The secret.
        name: String,
    },
    /// A path where stage 1 mounts something.
    #[error(
        "in {INITRD_SECRETS}: `{name}` would not be seen in stage 1, which mounts a file system on `{mount}`: keep it elsewhere"
    )]
    Covered {
        /// The secret.
        name: String,
        /// Where something is mounted.
        mount: &'static str,
    },
    /// Two secrets at one path, or one below the other.
    #[error(
        "in {INITRD_SECRETS}: `{first}` and `{second}` cannot both be where they are: one path is the other's, or lies below it"
    )]
    Overlap {
        /// The one whose path comes first.
        first: String,
        /// The other.
        second: String,
    },
}

impl InitrdSecrets {
    /// Reads the extension. `at` is its place, for errors about its form.
    ///
    /// # Errors
    /// [`InitrdSecretsError`].
    pub fn read(at: &str, extension: &Extension) -> Result<Self, InitrdSecretsError> {
        let members = Object::new(at, extension.to_value())?.rest();
        let mut secrets = BTreeMap::new();
        for (name, value) in members {
            let Value::String(path) = value else {
                return Err(JsonError::Kind {
                    at: at.to_owned(),
                    key: name,
                    expected: "a string",
                }
                .into());
            };
            check(&name, &path)?;
            secrets.insert(name, path);
        }
        refuse_overlap(&secrets)?;
        Ok(Self(secrets))
    }

    /// Each secret's name and path, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, path)| (name.as_str(), path.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn check(name: &str, path: &str) -> Result<(), InitrdSecretsError> {
    let no_name = matches!(name, "" | "." | "..")
        || name.len() > NAME_MAX
        || name.chars().any(|c| c == '/' || c.is_control());
    if no_name {
        return Err(InitrdSecretsError::Name(name.to_owned()));
    }
    let name = name.to_owned();
    let Some(relative) = path.strip_prefix('/').filter(|_| path.len() <= PATH_MAX) else {
        return Err(InitrdSecretsError::Path {
            name,
            path: path.to_owned(),
        });
    };
    let canonical = relative
        .split('/')
        .all(|part| !matches!(part, "" | "." | "..") && part.len() <= NAME_MAX);
    if !canonical || path.chars().any(char::is_control) {
        return Err(InitrdSecretsError::Path {
            name,
            path: path.to_owned(),
        });
    }
    if is_at_or_below(path, STORE) {
        return Err(InitrdSecretsError::InStore { name });
    }
    match COVERED
        .into_iter()
        .find(|mount| is_at_or_below(path, mount))
    {
        Some(mount) => Err(InitrdSecretsError::Covered { name, mount }),
        None => Ok(()),
    }
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A file cannot be a folder as well, nor two files.
fn refuse_overlap(secrets: &BTreeMap<String, String>) -> Result<(), InitrdSecretsError> {
    // With the slash at the end, whatever lies below a path comes right after it.
    let mut by_path: Vec<(String, &String)> = secrets
        .iter()
        .map(|(name, path)| (format!("{path}/"), name))
        .collect();
    by_path.sort();
    let overlap = by_path.iter().zip(by_path.iter().skip(1));
    match overlap
        .into_iter()
        .find(|((first, _), (second, _))| second.starts_with(first.as_str()))
    {
        None => Ok(()),
        Some(((_, first), (_, second))) => Err(InitrdSecretsError::Overlap {
            first: (*first).clone(),
            second: (*second).clone(),
        }),
    }
}
