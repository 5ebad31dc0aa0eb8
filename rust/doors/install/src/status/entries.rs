//! The entries of a partition, as systemd-boot lists them.

use std::io::ErrorKind;

use data_encoding::HEXLOWER;
use touchstone_esp::fs::{Kind, Real};
use touchstone_esp::order::Listed;
use touchstone_esp::type1::{Key, Type1};
use touchstone_esp::{EntryKind, EntryName, EspPath, FileSystem, OsRelease};

use super::answer::Judged;
use super::judge::{Judge, refused};
use crate::os_release;

/// An entry that is there.
pub(super) struct Entry {
    /// Its file.
    pub(super) path: EspPath,
    /// As systemd-boot sorts it.
    pub(super) listed: Listed,
    /// Its name in parts; none of one that this program did not write.
    pub(super) name: Option<EntryName>,
    /// What the firmware makes of it.
    pub(super) judged: Judged,
    /// Why systemd-boot does not list it at all; none when it does.
    pub(super) unlisted: Option<String>,
}

/// All entries, in no order. The second part says what could not be looked at.
pub(super) fn all(volume: &Real, judge: &mut Judge<'_>) -> (Vec<Entry>, Vec<String>) {
    let mut entries = Vec::new();
    let mut notes = Vec::new();
    for kind in [EntryKind::Type2, EntryKind::Type1] {
        match files(volume, kind) {
            Ok(files) => entries.extend(files.into_iter().map(|path| entry(path, kind, judge))),
            Err(why) => notes.push(why),
        }
    }
    (entries, notes)
}

fn files(volume: &Real, kind: EntryKind) -> Result<Vec<EspPath>, String> {
    let failed = |why: String| format!("{}/{}: {why}", volume.name(), kind.folder());
    let folder = EspPath::parse(kind.folder()).map_err(|error| failed(error.to_string()))?;
    let found = match volume.list(Some(&folder)) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(format!("cannot be listed: {error}"))),
    };
    let ends = |name: &str| name.to_ascii_lowercase().ends_with(kind.extension());
    let files = found
        .into_iter()
        .filter(|one| one.kind == Kind::File && ends(&one.name));
    // A name that FAT could not hold is none on a partition.
    Ok(files
        .filter_map(|one| folder.join(&one.name).ok())
        .collect())
}

fn entry(path: EspPath, kind: EntryKind, judge: &mut Judge<'_>) -> Entry {
    let name: Option<EntryName> = path.name().parse().ok();
    let name = name.filter(|name| name.kind == kind);
    let (listed, judged, unlisted) = match kind {
        EntryKind::Type2 => image(&path, judge),
        EntryKind::Type1 => text(&path, judge),
    };
    let damage = name
        .as_ref()
        .and_then(|name| judge.damage(&path, &name.hash));
    Entry {
        listed,
        judged: match damage {
            Some(why) => Judged {
                signed_by: judged.signed_by,
                ..refused(why)
            },
            None => judged,
        },
        path,
        name,
        unlisted,
    }
}

fn image(path: &EspPath, judge: &mut Judge<'_>) -> (Listed, Judged, Option<String>) {
    let unnamed = OsRelease {
        title: String::new(),
        version: None,
        sort_key: None,
    };
    let read = judge.open(path).map_err(|error| error.to_string());
    let os_release = read.and_then(|mut file| os_release::of_image(&mut file));
    let judged = judge.program(path);
    match os_release {
        Ok(found) => (Listed::image(path.name(), &found), judged, None),
        Err(why) => {
            let why = format!("systemd-boot does not list {path}: {why}");
            let judged = match judged.boots {
                true => refused(why.clone()),
                false => judged,
            };
            (Listed::image(path.name(), &unnamed), judged, Some(why))
        }
    }
}

fn text(path: &EspPath, judge: &mut Judge<'_>) -> (Listed, Judged, Option<String>) {
    let content = match judge.text(path) {
        Ok(content) => content,
        Err(error) => {
            let why = format!("{path} cannot be read: {error}");
            let listed = Listed::text(path.name(), &Type1::default());
            return (listed, refused(why.clone()), Some(why));
        }
    };
    let entry = Type1::read(&content);
    let listed = Listed::text(path.name(), &entry);
    let files = match entry.files() {
        Ok(files) => files,
        Err(error) => return (listed, refused(error.to_string()), None),
    };
    let program = [Key::Linux, Key::Uki, Key::Efi].into_iter();
    let program = program.filter_map(|key| entry.value(&key)).next();
    let program = program.and_then(|path| files.iter().find(|file| same(file, path)));
    let Some(program) = program else {
        let why = format!("systemd-boot does not list {path}: it names no program");
        return (listed, refused(why.clone()), Some(why));
    };
    let mut judged = judge.program(program);
    let broken: Vec<String> = files
        .iter()
        .filter_map(|file| broken(file, judge))
        .collect();
    if !broken.is_empty() {
        judged.boots = false;
        judged.why = broken;
    }
    (listed, judged, None)
}

fn same(file: &EspPath, value: &str) -> bool {
    let value = value.replace('\\', "/");
    EspPath::parse(value.trim_start_matches('/')).is_ok_and(|path| path == *file)
}

/// What is wrong with a file that an entry names.
fn broken(file: &EspPath, judge: &mut Judge<'_>) -> Option<String> {
    match content_hash(file) {
        Some(hash) => judge.damage(file, &hash),
        None => match judge.open(file) {
            Ok(_) => None,
            Err(error) if error.kind() == ErrorKind::NotFound => Some(format!("{file} is missing")),
            Err(error) => Some(format!("{file} cannot be read: {error}")),
        },
    }
}

/// The hash in the name of a file of ours: `EFI/nixos/<32 digits>-<name>`.
fn content_hash(file: &EspPath) -> Option<[u8; 16]> {
    let folder = file.folder()?;
    let ours = folder.as_str().eq_ignore_ascii_case("EFI/nixos");
    let (digits, _) = file.name().split_once('-').filter(|_| ours)?;
    let bytes = HEXLOWER
        .decode(digits.to_ascii_lowercase().as_bytes())
        .ok()?;
    bytes.try_into().ok()
}
