//! Which files are the entry that is meant.

use std::io::ErrorKind;
use std::str::FromStr;

use touchstone_esp::fs::Kind;
use touchstone_esp::order::identify;
use touchstone_esp::{Assessment, BootCount, EntryKind, EntryName, EspPath, FileSystem};

use super::{AssessError, Mark, Which, folders};

/// What is looked for.
pub(super) struct Wanted {
    folder: EspPath,
    /// The name in lower case, without a counter.
    id: String,
    /// The very file, where the boot loader named one.
    exact: Option<EspPath>,
    /// The attempts that the boot loader says were made.
    done: Option<u32>,
}

/// The files on one file system that are the entry.
pub(super) struct Found {
    pub(super) files: Vec<EspPath>,
    pub(super) done: Option<u32>,
    exact: Option<EspPath>,
}

/// One of them.
pub(super) struct Chosen {
    pub(super) path: EspPath,
    /// Whether it is marked so already.
    pub(super) is_so: bool,
}

impl Wanted {
    pub(super) fn new(which: &Which) -> Result<Self, AssessError> {
        match which {
            Which::Counted(path) => counted(path),
            Which::Named(name) => named(name),
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the name is one that this program gives, with the hash of the content in it.
    pub(super) fn is_ours(&self) -> bool {
        EntryName::from_str(&self.id).is_ok()
    }
}

fn counted(path: &EspPath) -> Result<Wanted, AssessError> {
    let refused = || AssessError::NotCounted(path.clone());
    let folder = path.folder().ok_or_else(refused)?;
    let known = folders()
        .iter()
        .any(|known| folder.as_str().eq_ignore_ascii_case(known));
    match identify(path.name()) {
        (id, Some(count)) if known => Ok(Wanted {
            folder,
            id,
            exact: Some(path.clone()),
            done: count.done,
        }),
        _ => Err(refused()),
    }
}

fn named(name: &str) -> Result<Wanted, AssessError> {
    let (id, _) = identify(name);
    let kinds = [EntryKind::Type1, EntryKind::Type2].into_iter();
    let kind = kinds
        .into_iter()
        .find(|kind| id.ends_with(kind.extension()));
    let folder = kind.map(EntryKind::folder).map(EspPath::parse);
    match folder.filter(|_| !id.contains(['/', '\\'])) {
        Some(folder) => Ok(Wanted {
            folder: folder?,
            id,
            exact: None,
            done: None,
        }),
        None => Err(AssessError::Name(name.to_owned())),
    }
}

/// The entry's files; none when there are none.
pub(super) fn find<F: FileSystem>(
    volume: &F,
    wanted: &Wanted,
) -> Result<Option<Found>, AssessError> {
    let listed = match volume.list(Some(&wanted.folder)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(AssessError::Io {
                volume: volume.name().to_owned(),
                what: "list",
                path: wanted.folder.clone(),
                source,
            });
        }
        Ok(listed) => listed,
    };
    let mut files = Vec::new();
    for found in listed {
        if found.kind == Kind::File && identify(&found.name).0 == wanted.id {
            files.push(wanted.folder.join(&found.name)?);
        }
    }
    files.sort();
    Ok((!files.is_empty()).then(|| Found {
        files,
        done: wanted.done,
        exact: wanted.exact.clone(),
    }))
}

/// The file that is marked, where there are several.
pub(super) fn choose(volume: &str, found: &Found, mark: Mark) -> Result<Chosen, AssessError> {
    let so = |file: &&EspPath| is_so(file, mark);
    let chosen = match (found.files.as_slice(), mark) {
        ([only], _) => Some(only),
        // One that is good is enough: the boot loader starts that one.
        (files, Mark::Good) => files.iter().find(so).or_else(|| exact(found)),
        // One that is bad is not: it would start the other.
        (_, Mark::Bad) => None,
    };
    match chosen {
        Some(path) => Ok(Chosen {
            path: path.clone(),
            is_so: is_so(path, mark),
        }),
        None => Err(AssessError::Several {
            volume: volume.to_owned(),
            files: found.files.clone(),
        }),
    }
}

fn exact(found: &Found) -> Option<&EspPath> {
    let exact = found.exact.as_ref()?;
    found.files.iter().find(|file| *file == exact)
}

fn is_so(file: &EspPath, mark: Mark) -> bool {
    let (_, count) = identify(file.name());
    let assessment = BootCount::assessment(count);
    match mark {
        Mark::Good => assessment == Assessment::Good,
        Mark::Bad => assessment == Assessment::Bad,
    }
}
