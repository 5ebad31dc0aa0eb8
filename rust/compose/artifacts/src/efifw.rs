//! Firmware images for `.efifw`.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use touchstone_pe::uki::Firmware;

use crate::request::{TextOr, text_or};
use crate::source::{content, entries};
use crate::{Error, Files};

/// A firmware image and its ID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
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

impl<'de> Deserialize<'de> for FirmwareImage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let expected = "the path of a folder or { \"id\": text, \"file\": path }";
        Ok(match text_or(deserializer, expected)? {
            TextOr::Text(folder) => Self::Folder(folder.into()),
            TextOr::Object(named) => Self::Named(named),
        })
    }
}

const ROLE: &str = "firmware";

impl FirmwareImage {
    /// The image with its file open.
    pub(crate) fn opened(&self, files: &dyn Files) -> Result<Firmware<'static>, Error> {
        let (id, file) = match self {
            Self::Folder(folder) => (name_of(folder)?, only_file(files, folder)?),
            Self::Named(named) => (named.id.clone(), named.file.clone()),
        };
        Ok(Firmware {
            id,
            image: content(files, ROLE, &file)?,
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

fn only_file(files: &dyn Files, folder: &Path) -> Result<PathBuf, Error> {
    let failed = |source| Error::Open {
        role: ROLE,
        file: folder.to_owned(),
        source,
    };
    match entries(files, folder).map_err(failed)?.as_slice() {
        [only] => Ok(folder.join(&only.name)),
        _ => Err(Error::Text {
            role: ROLE,
            file: folder.to_owned(),
            fact: "its folder must hold one file, the image, and nothing else".to_owned(),
        }),
    }
}
