//! Firmware images for `.efifw`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::uki::Firmware;

use crate::Error;
use crate::source::content;

/// A firmware image and its ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FirmwareImage {
    /// A folder that holds the image and nothing else, and whose name is the ID: what `ukify --efifw` takes.
    Folder(PathBuf),
    /// The image's file.
    Named(NamedFirmware),
}

/// A firmware image whose ID stands beside it: a folder's name would change when it is copied to the Nix store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedFirmware {
    /// The ID, by which device descriptions refer to the image (`fwid`).
    pub id: String,
    /// The image.
    pub file: PathBuf,
}

const ROLE: &str = "firmware";

impl FirmwareImage {
    /// The image with its file open.
    pub(crate) fn opened(&self) -> Result<Firmware<'static>, Error> {
        let (id, file) = match self {
            Self::Folder(folder) => (name_of(folder)?, only_file(folder)?),
            Self::Named(named) => (named.id.clone(), named.file.clone()),
        };
        Ok(Firmware {
            id,
            image: content(ROLE, &file)?,
        })
    }
}

fn name_of(folder: &Path) -> Result<String, Error> {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| Error::Text {
        role: ROLE,
        file: folder.to_owned(),
        fact: "its folder has no name in UTF-8 to be its ID".to_owned(),
    })
}

fn only_file(folder: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::Open {
        role: ROLE,
        file: folder.to_owned(),
        source,
    };
    let found: Vec<_> = std::fs::read_dir(folder)
        .map_err(failed)?
        // More than two say no more than two.
        .take(2)
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    match found.as_slice() {
        [only] => Ok(only.path()),
        _ => Err(Error::Text {
            role: ROLE,
            file: folder.to_owned(),
            fact: "its folder must hold one file, the image, and nothing else".to_owned(),
        }),
    }
}
