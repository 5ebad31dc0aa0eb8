//! What lies on a file system before anything is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use crate::fs::{Found, Kind, Room};
use crate::{Desired, EspPath, FileSystem, Refusal, names};

/// What lies on a file system: in the folders that are ours, and in those that the files of a [`Desired`] go to. Each is listed once.
#[derive(Clone, Debug)]
pub struct Observed {
    files: BTreeMap<EspPath, Present>,
    folders: BTreeSet<EspPath>,
    /// Links and devices.
    others: BTreeSet<EspPath>,
    room: Room,
}

/// A file that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present {
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written, as far as the file system knows.
    pub modified: SystemTime,
}

/// Folders that are looked into whatever is desired.
const ALWAYS: [&str; 3] = ["EFI/Linux", "EFI/nixos", "loader/entries"];
/// A folder on a damaged FAT can contain itself.
const DEEPEST: usize = 16;

impl Observed {
    /// Looks.
    ///
    /// # Errors
    /// [`Refusal::Look`] when a folder cannot be read; [`Refusal::SameName`] when it has two names that FAT could not tell apart, and
    /// [`Refusal::Deep`] when folders do not end.
    pub fn look(fs: &impl FileSystem, desired: &Desired) -> Result<Self, Refusal> {
        let failed = |source| Refusal::Look {
            volume: fs.name().to_owned(),
            folder: None,
            source,
        };
        let mut observed = Self {
            files: BTreeMap::new(),
            folders: BTreeSet::new(),
            others: BTreeSet::new(),
            room: fs.room().map_err(failed)?,
        };
        observed.visit(fs, None, &folders_of_interest(desired)?)?;
        Ok(observed)
    }

    fn visit(
        &mut self,
        fs: &impl FileSystem,
        folder: Option<&EspPath>,
        of_interest: &BTreeSet<EspPath>,
    ) -> Result<(), Refusal> {
        let listed = fs.list(folder).map_err(|source| Refusal::Look {
            volume: fs.name().to_owned(),
            folder: folder.cloned(),
            source,
        })?;
        for found in &listed {
            // A name that FAT has not is nobody's whom we know.
            let Some(path) = below(folder, &found.name) else {
                continue;
            };
            self.insert(fs, path.clone(), found)?;
            let inside = of_interest.contains(&path) || names::ours(&path);
            if found.kind == Kind::Folder && inside {
                self.visit(fs, Some(&path), of_interest)?;
            }
        }
        Ok(())
    }

    fn insert(
        &mut self,
        fs: &impl FileSystem,
        path: EspPath,
        found: &Found,
    ) -> Result<(), Refusal> {
        let volume = || fs.name().to_owned();
        if let Some(other) = self.known(&path) {
            let other = other.clone();
            return Err(Refusal::SameName {
                volume: volume(),
                path,
                other,
            });
        }
        if path.folders().count() > DEEPEST {
            return Err(Refusal::Deep {
                volume: volume(),
                path,
            });
        }
        match found.kind {
            Kind::Folder => drop(self.folders.insert(path)),
            Kind::Other => drop(self.others.insert(path)),
            Kind::File => {
                let (size, modified) = (found.size, found.modified);
                self.files.insert(path, Present { size, modified });
            }
        }
        Ok(())
    }

    fn known(&self, path: &EspPath) -> Option<&EspPath> {
        let file = self.files.get_key_value(path).map(|(path, _)| path);
        file.or_else(|| self.folders.get(path))
            .or_else(|| self.others.get(path))
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = (&EspPath, Present)> {
        self.files.iter().map(|(path, present)| (path, *present))
    }

    /// A file.
    pub fn file(&self, path: &EspPath) -> Option<Present> {
        self.files.get(path).copied()
    }

    /// The folders.
    pub fn folders(&self) -> impl DoubleEndedIterator<Item = &EspPath> {
        self.folders.iter()
    }

    /// Whether a folder is there.
    pub fn has_folder(&self, path: &EspPath) -> bool {
        self.folders.contains(path)
    }

    /// What is neither file nor folder under this name.
    pub fn other(&self, path: &EspPath) -> bool {
        self.others.contains(path)
    }

    /// The room, before anything is done.
    pub fn room(&self) -> Room {
        self.room
    }

    /// A path with the case that is there, as far as it is there.
    pub fn spelled(&self, path: &EspPath) -> EspPath {
        if let Some(known) = self.known(path) {
            return known.clone();
        }
        let folder = path.folder().map(|folder| self.spelled(&folder));
        below(folder.as_ref(), path.name()).unwrap_or_else(|| path.clone())
    }
}

fn below(folder: Option<&EspPath>, name: &str) -> Option<EspPath> {
    match folder {
        Some(folder) => folder.join(name).ok(),
        None => EspPath::parse(name).ok(),
    }
}

fn folders_of_interest(desired: &Desired) -> Result<BTreeSet<EspPath>, Refusal> {
    let mut folders = BTreeSet::new();
    for text in ALWAYS {
        let folder = EspPath::parse(text)?;
        folders.extend(folder.folders());
        folders.insert(folder);
    }
    folders.extend(desired.paths().flat_map(EspPath::folders));
    Ok(folders)
}
