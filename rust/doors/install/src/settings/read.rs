//! Reading `install.json`, strictly.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use touchstone_esp::EspPath;

use super::{Images, Settings};
use crate::Host;

/// Why the settings of a toplevel cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no document.
    #[error(
        "{} does not say what to install where\n  help: set `boot.loader.touchstone.enable = true` in the configuration, and build it again", .0.display()
    )]
    Missing(PathBuf),
    /// The document cannot be read.
    #[error("{} cannot be read: {source}\n  help: `nix store verify` tells whether the generation is damaged", .file.display())]
    Read {
        /// The document.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The document is not what this program understands.
    #[error(
        "{}: {fact}\n  help: the modules of Touchstone write this file: use the program of the same version, and see docs/install.json.md", .file.display()
    )]
    Malformed {
        /// The document.
        file: PathBuf,
        /// What is wrong with it.
        fact: String,
    },
}

/// Keys of `loader.conf` that are this program's.
const OURS: [&str; 2] = ["default", "preferred"];
/// A document is no larger than this, in bytes.
const LIMIT: u64 = 1 << 22;

/// Reads and checks a document.
///
/// # Errors
/// [`SettingsError`].
pub(super) fn settings(host: &Host, file: &Path) -> Result<Settings, SettingsError> {
    let text = read(host, file).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => SettingsError::Missing(file.to_owned()),
        _ => SettingsError::Read {
            file: file.to_owned(),
            source,
        },
    })?;
    let malformed = |fact| SettingsError::Malformed {
        file: file.to_owned(),
        fact,
    };
    let value =
        touchstone_store::json::parse(&text).map_err(|error| malformed(error.to_string()))?;
    let settings: Settings =
        serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
    check(&settings).map_err(malformed)?;
    Ok(settings)
}

fn read(host: &Host, file: &Path) -> io::Result<Vec<u8>> {
    let place = host.resolve(file)?;
    if std::fs::metadata(&place)?.len() > LIMIT {
        return Err(io::Error::other(format!("more than {LIMIT} bytes")));
    }
    std::fs::read(place)
}

/// What the types do not say.
fn check(settings: &Settings) -> Result<(), String> {
    if settings.version != 1 {
        return Err(format!(
            "version {} of the format, and this program reads version 1",
            settings.version
        ));
    }
    if settings.volumes.is_empty() {
        return Err("`volumes` names no EFI system partition".to_owned());
    }
    if let Some(key) = OURS
        .iter()
        .find(|key| settings.loader_conf.contains_key(**key))
    {
        return Err(format!(
            "`loaderConf` has `{key}`, which the installer decides"
        ));
    }
    if settings.images == Images::Uki && settings.stub.is_none() {
        return Err("`images` is \"uki\", and `stub` is null".to_owned());
    }
    if let Some(verify) = &settings.verify {
        verify.trust().map_err(|fact| format!("`verify`: {fact}"))?;
        if settings.images == Images::Kernel {
            return Err("`verify` is set, and `images` is \"kernel\": entries of Type #1 leave initrd and command line unsigned".to_owned());
        }
    }
    for name in settings.extra_entries.keys() {
        check_entry_name(name)?;
    }
    paths(settings).try_for_each(|(key, path)| check_absolute(key, path))
}

/// A name in `loader/entries` that is nobody else's.
fn check_entry_name(name: &str) -> Result<(), String> {
    let path = EspPath::parse(name).map_err(|error| error.to_string())?;
    if path.folder().is_some() || !name.ends_with(".conf") {
        return Err(format!(
            "`extraEntries`: \"{name}\" is no name of an entry, which ends in .conf and has no folder"
        ));
    }
    if name.to_ascii_lowercase().starts_with("nixos-") {
        return Err(format!(
            "`extraEntries`: \"{name}\": names that begin with nixos- are those of generations"
        ));
    }
    Ok(())
}

/// Every path of the machine.
fn paths(settings: &Settings) -> impl Iterator<Item = (&'static str, &Path)> {
    let volumes = settings.volumes.iter().flat_map(|volume| {
        let xbootldr = volume.xbootldr.as_deref().map(|path| ("xbootldr", path));
        [("esp", volume.esp.as_path())].into_iter().chain(xbootldr)
    });
    let images = [
        (
            "image",
            settings.loader.as_ref().map(|loader| &loader.image),
        ),
        ("stub", settings.stub.as_ref()),
        ("splash", settings.splash.as_ref()),
        (
            "certificate",
            settings
                .signing
                .as_ref()
                .map(|signing| &signing.certificate),
        ),
        (
            "pinSource",
            settings
                .signing
                .as_ref()
                .and_then(|signing| signing.pin_source.as_ref()),
        ),
        (
            "keyFile",
            settings
                .verify
                .as_ref()
                .and_then(|verify| verify.key_on_disk()),
        ),
        ("state", Some(&settings.state)),
    ];
    let images = images
        .into_iter()
        .filter_map(|(key, path)| Some((key, path?.as_path())));
    let extra = settings.extra_files.values();
    volumes
        .chain(images)
        .chain(extra.map(|path| ("extraFiles", path.as_path())))
}

fn check_absolute(key: &str, path: &Path) -> Result<(), String> {
    if path.is_absolute() {
        return Ok(());
    }
    Err(format!("`{key}`: {} is no absolute path", path.display()))
}

/// Reads `extraFiles`: no path twice, not even in another case, and none that is the installer's.
pub(super) fn extra_files<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<EspPath, PathBuf>, D::Error> {
    let texts: BTreeMap<String, PathBuf> = Deserialize::deserialize(deserializer)?;
    let mut files = BTreeMap::new();
    for (text, source) in texts {
        let path = EspPath::parse(&text).map_err(D::Error::custom)?;
        if is_ours(&path) {
            return Err(D::Error::custom(format!(
                "`extraFiles` names {path}, which is the installer's"
            )));
        }
        if files.insert(path.clone(), source).is_some() {
            return Err(D::Error::custom(format!(
                "`extraFiles` names {path} twice: FAT knows no upper and lower case"
            )));
        }
    }
    Ok(files)
}

/// Whether the installer writes, replaces or removes this path by itself.
fn is_ours(path: &EspPath) -> bool {
    let text = path.as_str().to_ascii_lowercase();
    let folders = ["efi/nixos/", "efi/linux/nixos-", "loader/entries/nixos-"];
    let files = ["loader/loader.conf", "loader/random-seed"];
    folders.iter().any(|folder| text.starts_with(folder)) || files.contains(&text.as_str())
}
