//! The files beside a UKI on the ESP: by their names they are addons, credentials or extensions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use touchstone_measure::{Addon, Companion, Companions, Content};

use crate::firmware::Firmware;
use crate::predict::image;
use crate::source::FileContent;
use crate::{Error, Files};

/// What a file on the ESP is to a stub.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Addon,
    Credential,
    SystemExtension,
    ConfigurationExtension,
}

/// By the ends of the names in `<UKI>.extra.d`.
pub(crate) fn of_extra_folder(name: &str) -> Option<Kind> {
    match name {
        _ if name.contains('/') => None,
        _ if name.ends_with(".addon.efi") => Some(Kind::Addon),
        _ if name.ends_with(".cred") => Some(Kind::Credential),
        _ if name.ends_with(".confext.raw") => Some(Kind::ConfigurationExtension),
        _ if name.ends_with(".raw") => Some(Kind::SystemExtension),
        _ => None,
    }
}

/// By folder and end below `loader/`.
pub(crate) fn of_loader_folder(path: &str) -> Option<Kind> {
    let (folder, name) = path.split_once('/')?;
    let kind = of_extra_folder(name)?;
    let right = match kind {
        Kind::Addon => "addons",
        Kind::Credential => "credentials",
        Kind::SystemExtension | Kind::ConfigurationExtension => "extensions",
    };
    (folder == right).then_some(kind)
}

/// Sorts files beside a UKI into what they are.
pub(crate) fn companions(
    files: &dyn Files,
    firmware: &Firmware,
    esp: &BTreeMap<String, PathBuf>,
    kind: fn(&str) -> Option<Kind>,
) -> Result<Companions, Error> {
    let mut companions = Companions::default();
    for (path, file) in esp {
        let kind = kind(path).ok_or_else(|| Error::Request {
            fact: format!("{path:?} is no name by which a stub finds an addon, a credential or an extension"),
            help: "give the file its name on the ESP: NAME.addon.efi, NAME.cred, NAME.sysext.raw or NAME.confext.raw; below `loader/` in addons/, credentials/ or extensions/",
        })?;
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        let content: Arc<dyn Content> =
            Arc::new(FileContent::new(files, "file beside the UKI", file)?);
        match kind {
            Kind::Addon => companions.addons.push(Addon {
                image: image(files, firmware, "addon", &name, file)?,
                name,
                content,
            }),
            Kind::Credential => companions.credentials.push(Companion { name, content }),
            Kind::SystemExtension => companions
                .system_extensions
                .push(Companion { name, content }),
            Kind::ConfigurationExtension => {
                companions
                    .configuration_extensions
                    .push(Companion { name, content });
            }
        }
    }
    Ok(companions)
}
