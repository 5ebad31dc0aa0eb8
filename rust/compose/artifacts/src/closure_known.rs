//! What is known of a closure's paths, and where: Nix' database, `.narinfo` files, a manifest.

use std::path::Path;

use touchstone_nix_database::{DATABASE, Database};
use touchstone_store::closure::{Registry, Store};
use touchstone_store::{STORE_DIR, StorePath};

use crate::closure_import::place::Place;
use crate::{Error, manifest};

/// Where hashes, references and signatures are found. Nothing of it is trusted.
pub(crate) struct Known<'a> {
    /// The folder below which `nix/store` lies; the running system when none is named.
    pub(crate) root: Option<&'a Path>,
    /// Nix' database.
    pub(crate) nix_database: Option<&'a Path>,
    /// A folder of `.narinfo` files.
    pub(crate) signatures: Option<&'a Path>,
    /// A manifest.
    pub(crate) manifest: Option<&'a Path>,
}

impl Known<'_> {
    /// What is known of a toplevel's closure.
    ///
    /// # Errors
    /// [`Error::Request`] when it is not said where, or twice; [`Error::NixDatabase`], [`Error::Open`], [`Error::Manifest`].
    pub(crate) fn of(&self, toplevel: &StorePath) -> Result<Registry, Error> {
        match (self.nix_database, self.signatures, self.manifest) {
            (None, None, None) => self.of_the_store(toplevel),
            (Some(file), None, None) => database(file, toplevel),
            (None, Some(folder), None) => Ok(Registry::folder(folder)),
            (None, None, Some(file)) => Ok(Registry::manifest(&manifest::read(file)?)),
            _ => Err(Error::Request {
                fact:
                    "more than one of Nix' database, a folder of signatures and a manifest is named"
                        .to_owned(),
                help: "name one of them",
            }),
        }
    }

    /// What the store's own machine knows: by Nix where it has one, else by its registry.
    fn of_the_store(&self, toplevel: &StorePath) -> Result<Registry, Error> {
        let root = self.root.unwrap_or(Path::new("/"));
        let file = root.join(DATABASE.trim_start_matches('/'));
        let valid = Place::below(self.root).valid;
        match (file.exists(), valid.exists()) {
            (true, false) => database(&file, toplevel),
            (false, true) => Ok(Registry::folder(valid)),
            (has_nix, _) => Err(Error::Request {
                fact: match has_nix {
                    true => format!("there are both {} and {}", file.display(), valid.display()),
                    false => format!(
                        "there is neither {} nor {}",
                        file.display(),
                        valid.display()
                    ),
                },
                help: "name where signatures are: Nix' database, a folder of .narinfo files, or a manifest",
            }),
        }
    }

    /// The store.
    ///
    /// # Errors
    /// [`Error::Refused`] when it cannot be opened, or when others may write to it.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        let opened = match self.root {
            Some(root) => Store::below(root),
            None => Store::open(Path::new(STORE_DIR)),
        };
        opened.map_err(|error| Error::refused(error.into()))
    }
}

/// What Nix' database says.
fn database(file: &Path, toplevel: &StorePath) -> Result<Registry, Error> {
    let read = || Database::open(file)?.closure(toplevel);
    let infos = read().map_err(|source| Error::NixDatabase {
        source: Box::new(source),
    })?;
    Ok(Registry::known(infos.unwrap_or_default()))
}
