//! The copies of the boot loader on a partition.

use touchstone_esp::fs::{Kind, Real};
use touchstone_esp::order::LoaderVersion;
use touchstone_esp::{EspPath, FileSystem};
use touchstone_pe::Image;
use touchstone_pe::uki::loader_info;

use super::answer::LoaderStatus;
use super::judge::Judge;
use crate::install::place::{BEHIND_SHIM, FALLBACK, OWN, Place};

/// Where the installer puts it.
const PLACES: [Place; 3] = [OWN, FALLBACK, BEHIND_SHIM];

/// The copies: systemd-boot's own first.
pub(super) fn all(volume: &Real, judge: &mut Judge<'_>) -> Vec<LoaderStatus> {
    let mut loaders = Vec::new();
    for place in PLACES {
        let Ok(folder) = EspPath::parse(place.folder) else {
            continue;
        };
        // A folder that is not there has no boot loader in it.
        let mut found = volume.list(Some(&folder)).unwrap_or_default();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let files = found.iter().filter(|one| one.kind == Kind::File);
        let paths = files.filter_map(|one| folder.join(&one.name).ok());
        let paths = paths.filter(|path| place.has(path));
        loaders.extend(paths.map(|path| LoaderStatus {
            version: version(&path, judge),
            judged: judge.program(&path),
            path: path.to_string(),
        }));
    }
    loaders
}

fn version(path: &EspPath, judge: &Judge<'_>) -> Option<String> {
    let mut file = judge.open(path).ok()?;
    let image = Image::read(&mut file).ok()?;
    let info = loader_info(&image, &mut file).ok()??;
    (info.program == "systemd-boot").then_some(info.version)
}

/// The version by which the next boot goes: that of the first copy that has one.
pub(super) fn version_of(loaders: &[LoaderStatus]) -> Option<LoaderVersion> {
    let version = loaders.iter().find_map(|one| one.version.as_deref())?;
    LoaderVersion::read(&format!("systemd-boot {version}"))
}
