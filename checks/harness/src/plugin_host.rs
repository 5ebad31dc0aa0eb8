//! A Nix that loads plugins. Debian's exports nothing, so no plugin loads into it: this one is built from Debian's own source package
//! with shared libraries, once, into the cache. It runs in the root that it was built in, where plugins are compiled as well.

pub(crate) mod build;
pub(crate) mod steps;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cache;
use crate::enter::{Root, Visit};

/// Where it is, seen from inside the root.
pub const PREFIX: &str = "/opt/nix-plugin-host";

/// The Nix and its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginHost {
    /// The root: a C++ compiler, and what that Nix is linked with.
    pub root: PathBuf,
    /// The Nix, seen from outside: `bin`, `include`, `lib`.
    pub nix: PathBuf,
}

impl PluginHost {
    /// Begins a visit to the root, in which that Nix is at [`PREFIX`].
    #[must_use]
    pub fn visit(&self) -> Visit {
        Root::at(&self.root).visit().show_at(&self.nix, PREFIX)
    }

    /// Another one for another Nix: what is compiled for the one does not fit the other.
    #[must_use]
    pub fn key(&self) -> String {
        let paths = [&self.root, &self.nix].map(|path| path.to_string_lossy());
        cache::key(paths.iter().map(AsRef::as_ref))
    }

    /// What a program of that Nix is started as, inside.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        [PREFIX, "bin", name].iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_another_for_another_nix_and_for_another_root() {
        let host = |root: &str, nix: &str| PluginHost {
            root: root.into(),
            nix: nix.into(),
        };
        let key = host("/r/1/trixie", "/p/1/nix").key();
        assert_eq!(key, host("/r/1/trixie", "/p/1/nix").key());
        assert_ne!(key, host("/r/2/trixie", "/p/1/nix").key());
        assert_ne!(key, host("/r/1/trixie", "/p/2/nix").key());
    }
}
