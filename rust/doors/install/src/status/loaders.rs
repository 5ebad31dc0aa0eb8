//! The copies of the boot loader on a partition.

use touchstone_esp::fs::{Kind, Real};
use touchstone_esp::order::LoaderVersion;
use touchstone_esp::{EspPath, FileSystem};
use touchstone_pe::Image;
use touchstone_pe::uki::loader_info;

use super::answer::LoaderStatus;
use super::judge::Judge;

/// Where systemd-boot lies, and the name that firmware starts by itself.
const PLACES: [(&str, &str); 2] = [("EFI/systemd", "systemd-boot"), ("EFI/BOOT", "boot")];

/// The copies: systemd-boot's own first.
pub(super) fn all(volume: &Real, judge: &mut Judge<'_>) -> Vec<LoaderStatus> {
    let mut loaders = Vec::new();
    for (folder, prefix) in PLACES {
        let Ok(folder) = EspPath::parse(folder) else {
            continue;
        };
        let is_loader = |name: &str| {
            let name = name.to_ascii_lowercase();
            name.starts_with(prefix) && name.ends_with(".efi")
        };
        // A folder that is not there has no boot loader in it.
        let mut found = volume.list(Some(&folder)).unwrap_or_default();
        found.retain(|one| one.kind == Kind::File && is_loader(&one.name));
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let paths = found.iter().filter_map(|one| folder.join(&one.name).ok());
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
