//! What a toplevel holds that has no document.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use touchstone_bootspec::{SynthesizeError, Toplevel};
use touchstone_store::{StoreFile, StorePath};

use super::NoBootspec;
use super::file::{DOCUMENT, refused};
use crate::source::read_small;
use crate::{Error, HostFiles};

/// The role of everything that is read here.
const ROLE: &str = "toplevel";
/// The longest text in a toplevel: 64 KiB, many times a kernel's command line.
const TEXT_LIMIT: u64 = 1 << 16;

/// Where a machine's files are: this one's where they are named, another's below a folder. It stands in the place of
/// [`Files`](crate::Files): what is answered names where links of the machine end.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    /// A path without links in it.
    pub(super) canonical: &'a dyn Fn(&Path) -> io::Result<PathBuf>,
    /// Where a path lies that has no links in it but at its end.
    pub(super) at: &'a dyn Fn(&Path) -> PathBuf,
}

impl World<'_> {
    /// This machine.
    pub(super) const HERE: World<'static> = World {
        canonical: &|path| fs::canonicalize(path),
        at: &|path| path.to_owned(),
    };

    /// Looks at a toplevel and its specialisations.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Text`], [`Error::NoBootspec`].
    pub(super) fn toplevel(self, path: &Path) -> Result<Toplevel, Error> {
        let folder = self.resolve(path)?;
        if self.exists(&folder.join(DOCUMENT)) {
            return Err(refused(path, NoBootspec::HasDocument));
        }
        let mut specialisations = BTreeMap::new();
        for (name, path) in self.specialisations_of(&folder)? {
            let child = self.resolve(&path)?;
            // Not looked into: a folder that leads to itself has no end.
            if !self.specialisations_of(&child)?.is_empty() {
                let nested = SynthesizeError::Nested { name };
                return Err(refused(&path, nested.into()));
            }
            specialisations.insert(name, self.alone(&child, BTreeMap::new())?);
        }
        self.alone(&folder, specialisations)
    }

    /// One toplevel; `folder` is where every link to it ends.
    fn alone(
        self,
        folder: &Path,
        specialisations: BTreeMap<String, Toplevel>,
    ) -> Result<Toplevel, Error> {
        Ok(Toplevel {
            path: store_path(folder)?,
            system: self.text(folder, "system")?,
            nixos_version: self.text(folder, "nixos-version")?,
            kernel: self.link(folder, "kernel")?,
            kernel_version: self.kernel_version(folder)?,
            kernel_params: self.text(folder, "kernel-params")?,
            initrd: self
                .exists(&folder.join("initrd"))
                .then(|| self.link(folder, "initrd"))
                .transpose()?,
            appends_initrd_secrets: self.exists(&folder.join("append-initrd-secrets")),
            specialisations,
        })
    }

    /// The toplevels in the folder `specialisation`, by name; none where there is no such folder.
    fn specialisations_of(self, folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
        let folder = folder.join("specialisation");
        if self.exists(&folder) {
            self.entries(&folder)
        } else {
            Ok(BTreeMap::new())
        }
    }

    /// The release of the kernel, which names the folder of its modules.
    fn kernel_version(self, folder: &Path) -> Result<String, Error> {
        let modules = folder.join("kernel-modules/lib/modules");
        let mut names = self.entries(&self.resolve(&modules)?)?.into_keys();
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            (first, _) => {
                let found = if first.is_some() {
                    "more than one"
                } else {
                    "no"
                };
                let fact = format!(
                    "{} holds modules of {found} kernel: the label cannot say which one it is",
                    modules.display()
                );
                Err(refused(folder, NoBootspec::Toplevel(fact)))
            }
        }
    }

    /// What a folder holds, by name.
    fn entries(self, folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
        let failed = |source| opened(folder, source);
        let mut found = BTreeMap::new();
        for entry in fs::read_dir((self.at)(folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match entry.file_name().into_string() {
                Ok(name) => {
                    let path = folder.join(&name);
                    found.insert(name, path)
                }
                Err(name) => {
                    let fact = format!("the name {} is no text", name.display());
                    return Err(refused(folder, NoBootspec::Toplevel(fact)));
                }
            };
        }
        Ok(found)
    }

    /// A text of the toplevel; scripts write it without a line break at the end, people with one.
    fn text(self, folder: &Path, name: &str) -> Result<String, Error> {
        let file = folder.join(name);
        let bytes = read_small(
            &HostFiles,
            ROLE,
            &(self.at)(&self.resolve(&file)?),
            TEXT_LIMIT,
        )?;
        let text = String::from_utf8(bytes).map_err(|_| Error::Text {
            role: ROLE,
            file,
            fact: "it is not UTF-8".to_owned(),
        })?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// Where a link of the toplevel ends.
    fn link(self, folder: &Path, name: &str) -> Result<StoreFile, Error> {
        let path = folder.join(name);
        let target = self.resolve(&path)?;
        StoreFile::parse(&target.to_string_lossy()).map_err(|error| {
            let fact = format!("{} ends outside of the store: {error}", path.display());
            refused(folder, NoBootspec::Toplevel(fact))
        })
    }

    fn resolve(self, path: &Path) -> Result<PathBuf, Error> {
        (self.canonical)(path).map_err(|source| opened(path, source))
    }

    /// Whether something has this name, be it a link that leads nowhere.
    fn exists(self, path: &Path) -> bool {
        fs::symlink_metadata((self.at)(path)).is_ok()
    }
}

fn store_path(folder: &Path) -> Result<StorePath, Error> {
    StorePath::parse(&folder.to_string_lossy()).map_err(|error| {
        let fact = format!("the toplevel is no store path: {error}");
        refused(folder, NoBootspec::Toplevel(fact))
    })
}

fn opened(path: &Path, source: io::Error) -> Error {
    Error::Open {
        role: ROLE,
        file: path.to_owned(),
        source,
    }
}
