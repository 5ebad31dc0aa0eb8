//! `loader.conf`: the settings, and which entry boots by itself.

use std::io::Read;
use std::path::Path;

use touchstone_esp::loader_conf::{LoaderConf, known_since};
use touchstone_esp::order::{Listed, LoaderVersion, compare};
use touchstone_esp::type1::Type1;
use touchstone_esp::{
    BootCount, Content, EntryKind, EntryName, EspPath, File, FileSystem, OsRelease,
};

use super::error::InstallError;
use super::images::Wanted;
use super::present::{Present, Presents};
use super::volumes::{Look, Partition};
use crate::os_release;
use crate::settings::Settings;

/// Where it lies.
pub const PATH: &str = "loader/loader.conf";
/// All our entries.
const OURS: &str = "nixos-*";
/// Larger than any, in bytes.
const LIMIT: u64 = 1 << 20;

/// The file for a partition: what is there, with the settings of this configuration in the place of those that systemd-boot knows.
///
/// # Errors
/// [`InstallError::LoaderConf`].
pub fn file(
    settings: &Settings,
    partition: &Partition,
    look: &Look,
    version: Option<LoaderVersion>,
    id: &str,
) -> Result<Option<File>, InstallError> {
    let Ok(path) = EspPath::parse(PATH) else {
        return Ok(None);
    };
    let mut text = String::new();
    if look.observed.file(&path).is_some() {
        let reader = partition.fs.open(&path).ok();
        // What is no text is no setting of anybody's.
        let read = reader.map(|reader| reader.take(LIMIT).read_to_string(&mut text));
        if !matches!(read, Some(Ok(_))) {
            text.clear();
        }
    }
    let mut conf = LoaderConf::read(&text);
    let keys: Vec<String> = conf.settings().map(|(key, _)| key.to_owned()).collect();
    let wanted = wishes(settings, version, id);
    for key in keys.iter().filter(|key| known_since(key).is_some()) {
        let stays = settings.loader_conf.contains_key(key)
            || wanted.iter().any(|(wanted, _)| wanted == key);
        if !stays {
            conf.unset(key);
        }
    }
    for (key, value) in &settings.loader_conf {
        conf.set(key, value)?;
    }
    for (key, value) in wanted {
        conf.set(key, &value)?;
    }
    Ok(Some(File {
        path,
        content: Content::Bytes(conf.to_string().into_bytes()),
    }))
}

/// Means an entry, and the first profile of one that is divided into profiles: systemd-boot calls those `<file>@<profile>`.
fn pattern(id: &str) -> String {
    match id.contains('@') {
        true => id.to_owned(),
        false => format!("{id}*"),
    }
}

/// What decides which entry boots by itself. A `default` that names an entry keeps booting it although it is bad (systemd#31215), so that
/// with counting it names all of them.
fn wishes(
    settings: &Settings,
    version: Option<LoaderVersion>,
    id: &str,
) -> Vec<(&'static str, String)> {
    let ours = ("default", OURS.to_owned());
    match settings.boot_counting {
        None => vec![("default", pattern(id))],
        Some(_) if version.is_some_and(LoaderVersion::knows_preferred) => {
            vec![("preferred", pattern(id)), ours]
        }
        Some(_) => vec![ours],
    }
}

/// An entry that will be on the partition.
pub enum Shown<'a> {
    /// One that is made, with its counter.
    Made(&'a Wanted, Option<BootCount>),
    /// One that stays.
    Stays(&'a Present),
}

/// The id of the entry that systemd-boot puts first among ours.
pub fn first(shown: &[Shown<'_>], presents: &Presents) -> Option<String> {
    let mut listed: Vec<Listed> = shown
        .iter()
        .filter_map(|one| match one {
            Shown::Made(wanted, count) => made(wanted, *count),
            Shown::Stays(present) => of_file(&present.name, &presents.place(present)),
        })
        .collect();
    listed.sort_by(compare);
    listed.into_iter().next().map(|listed| listed.id)
}

fn made(wanted: &Wanted, count: Option<BootCount>) -> Option<Listed> {
    let name = wanted.name.counting(count);
    match &wanted.content {
        Content::Bytes(bytes) => Some(text(&name, &String::from_utf8_lossy(bytes))),
        Content::Copy { source, .. } => match &wanted.os_release {
            Some(text) => Some(Listed::image(&name.to_string(), &OsRelease::read(text)?)),
            None => of_file(&name, source),
        },
    }
}

fn of_file(name: &EntryName, file: &Path) -> Option<Listed> {
    if name.kind == EntryKind::Type1 {
        return Some(text(name, &std::fs::read_to_string(file).ok()?));
    }
    let mut file = std::fs::File::open(file).ok()?;
    let release = os_release::of_image(&mut file).ok()?;
    Some(Listed::image(&name.to_string(), &release))
}

fn text(name: &EntryName, text: &str) -> Listed {
    Listed::text(&name.to_string(), &Type1::read(text))
}
