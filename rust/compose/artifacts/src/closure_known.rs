//! What is known of a closure's paths, and where: Nix' database, `.narinfo` files, a manifest.

use std::path::Path;

use touchstone_nix_database::{DATABASE, Database};
use touchstone_store::closure::{Registry, Store};
use touchstone_store::manifest::{Entry, SourceError};
use touchstone_store::{Manifest, STORE_DIR, StorePath};

use crate::closure_import::place::Place;
use crate::manifest::{self, ManifestError};
use crate::{Error, Files};

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
    pub(crate) fn of(&self, files: &dyn Files, toplevel: &StorePath) -> Result<Registry, Error> {
        match (self.nix_database, self.signatures, self.manifest) {
            (None, None, None) => self.of_the_store(toplevel),
            (Some(file), None, None) => database(file, toplevel),
            (None, Some(folder), None) => Ok(Registry::folder(folder)),
            (None, None, Some(file)) => Ok(Registry::manifest(&manifest::read(files, file)?)),
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

/// Writes a manifest with the signatures, too, that the store's own machine knows of the very same paths, hashes, sizes and references: those in
/// Nix' database, and those in the registry of a machine without Nix. `root` is the folder below which `nix/store` lies.
///
/// Nothing is judged, and a machine that knows nothing adds nothing.
///
/// # Errors
/// [`Error::Open`] and [`Error::Manifest`] when it is no manifest; [`Error::NixDatabase`], [`Error::Refused`], [`Error::Write`].
pub fn add_known_signatures(
    files: &dyn Files,
    file: &Path,
    root: &Path,
    output: &Path,
) -> Result<(), Error> {
    let manifest = manifest::read(files, file)?;
    let mut entries: Vec<Entry> = manifest.entries().cloned().collect();
    for registry in of_the_machine(root, manifest.toplevel())? {
        for entry in &mut entries {
            add_signatures(entry, &registry)?;
        }
    }
    let invalid = |source: ManifestError| Error::Manifest {
        file: Some(file.to_owned()),
        source,
    };
    let mut signed = Manifest::new(manifest.toplevel().clone(), entries)
        .map_err(|error| invalid(SourceError::from(error).into()))?;
    // No signature of an entry is part of what is signed as a whole.
    if let Some(whole) = manifest.whole() {
        signed = signed.for_class(whole.class.clone());
        for signature in &whole.signatures {
            signed.add_signature(signature.clone());
        }
    }
    manifest::publish(files, &signed, output).map(drop)
}

/// All that a machine knows of a closure: by Nix, by its registry.
fn of_the_machine(root: &Path, toplevel: &StorePath) -> Result<Vec<Registry>, Error> {
    let file = root.join(DATABASE.trim_start_matches('/'));
    let by_nix = file.exists().then(|| database(&file, toplevel));
    let registered = Registry::folder(Place::below(Some(root)).valid);
    by_nix.into_iter().chain([Ok(registered)]).collect()
}

/// Adds the signatures that are known of the statement that an entry makes.
fn add_signatures(entry: &mut Entry, registry: &Registry) -> Result<(), Error> {
    let known = registry.get(&entry.path);
    let known = known.map_err(|error| Error::refused(error.into()))?;
    let same = known.filter(|known| known.entry.fingerprint() == entry.fingerprint());
    entry
        .signatures
        .extend(same.into_iter().flat_map(|known| known.entry.signatures));
    Ok(())
}

/// What Nix' database says.
fn database(file: &Path, toplevel: &StorePath) -> Result<Registry, Error> {
    let read = || Database::open(file)?.closure(toplevel);
    let infos = read().map_err(|source| Error::NixDatabase {
        source: Box::new(source),
    })?;
    Ok(Registry::known(infos.unwrap_or_default()))
}
