//! What no file system could hold, and what is in the way on this one.

use std::collections::BTreeMap;

use crate::fat::LARGEST_FILE;
use crate::{Content, Desired, EspPath, Observed, Refusal, names};

/// Refuses names and sizes that FAT has not, or has for itself.
pub(super) fn desired(desired: &Desired) -> Result<(), Refusal> {
    let mut known = BTreeMap::new();
    for (path, content) in all(desired) {
        name(path)?;
        let size = content.size();
        if size > LARGEST_FILE {
            let path = path.clone();
            return Err(Refusal::Large { path, size });
        }
        collision(&mut known, path, content)?;
    }
    for entry in &desired.entries {
        if names::split(&entry.path).1.is_some() {
            let path = entry.path.clone();
            return Err(Refusal::Counted { path });
        }
    }
    let is_file = |folder: &EspPath| known.contains_key(folder);
    let inside = known
        .keys()
        .find_map(|path| Some((*path, path.folders().find(is_file)?)));
    match inside {
        Some((path, other)) => Err(Refusal::Collision {
            path: path.clone(),
            other,
        }),
        None => Ok(()),
    }
}

/// All files, those of a phase in one go.
fn all(desired: &Desired) -> impl Iterator<Item = (&EspPath, &Content)> {
    let files = desired.before.iter().chain(&desired.artifacts);
    let files = files.chain(&desired.fixed);
    let entries = desired.entries.iter();
    files
        .map(|file| (&file.path, &file.content))
        .chain(entries.map(|entry| (&entry.path, &entry.content)))
}

fn name(path: &EspPath) -> Result<(), Refusal> {
    let path = path.clone();
    if !path.as_str().is_ascii() {
        return Err(Refusal::NotAscii { path });
    }
    let mut components = path.as_str().split('/');
    match components.any(names::is_short) || names::staged(path.name()) {
        true => Err(Refusal::Reserved { path }),
        false => Ok(()),
    }
}

/// The same file may be asked for twice, by two generations; two files of one name may not.
fn collision<'a>(
    known: &mut BTreeMap<&'a EspPath, [u8; 32]>,
    path: &'a EspPath,
    content: &Content,
) -> Result<(), Refusal> {
    let sha256 = content.sha256();
    let same = |(other, of_other): (&&EspPath, &[u8; 32])| {
        other.as_str() == path.as_str() && *of_other == sha256
    };
    match known.get_key_value(path) {
        Some(there) if same(there) => Ok(()),
        Some((other, _)) => Err(Refusal::Collision {
            path: path.clone(),
            other: (*other).clone(),
        }),
        None => {
            known.insert(path, sha256);
            Ok(())
        }
    }
}

/// Refuses when something that is no file has a desired file's name, or something that is no folder that of its folder.
pub(super) fn in_the_way(
    volume: &str,
    desired: &Desired,
    observed: &Observed,
) -> Result<(), Refusal> {
    let blocked = |path: &EspPath, what, wanted| Refusal::InTheWay {
        volume: volume.to_owned(),
        path: observed.spelled(path),
        what,
        wanted,
    };
    for path in desired.paths() {
        if observed.has_folder(path) {
            return Err(blocked(path, "a folder", "a file"));
        }
        if observed.other(path) {
            return Err(blocked(path, "a link or a device", "a file"));
        }
        for folder in path.folders() {
            if observed.file(&folder).is_some() {
                return Err(blocked(&folder, "a file", "a folder"));
            }
            if observed.other(&folder) {
                return Err(blocked(&folder, "a link or a device", "a folder"));
            }
        }
    }
    Ok(())
}
