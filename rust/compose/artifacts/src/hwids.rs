//! The devices of a folder, for `.hwids`: one JSON file each, as systemd ships them in `/usr/lib/systemd/boot/hwids` and `ukify(1)`
//! describes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use touchstone_pe::uki::{Device, Target};
use uuid::Uuid;

use crate::parts::Ukify;
use crate::source::{entries, read_small};
use crate::{Error, Files};

const ROLE: &str = "device description";
/// Those that systemd ships have about one KiB.
const LIMIT: u64 = 1 << 20;

/// A device description. Other fields are for other readers.
#[derive(Deserialize)]
struct Description {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: String,
    compatible: Option<String>,
    fwid: Option<String>,
    hwids: Vec<Uuid>,
}

/// The devices of all `*.json` files in `folder` and in the folders within, in the order of their paths.
///
/// # Errors
/// [`Error::Open`], or [`Error::Text`] for a description that the rules of that release do not allow.
pub(crate) fn devices(
    files: &dyn Files,
    folder: &Path,
    compat: Ukify,
) -> Result<Vec<Device>, Error> {
    let mut found = json_files(files, folder)?;
    found.sort();
    found
        .iter()
        .map(|file| device(files, file, compat))
        .collect()
}

/// Symbolic links are followed to files, and not to folders, which may contain one another.
fn json_files(files: &dyn Files, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| Error::Open {
            role: "folder of device descriptions",
            file: folder.clone(),
            source,
        };
        for entry in entries(files, &folder).map_err(failed)? {
            let path = folder.join(&entry.name);
            if entry.kind.is_dir() {
                folders.push(path);
            } else if path.as_os_str().as_encoded_bytes().ends_with(b".json") {
                found.push(path);
            }
        }
    }
    Ok(found)
}

fn device(files: &dyn Files, file: &Path, compat: Ukify) -> Result<Device, Error> {
    let wrong = |fact: String| Error::Text {
        role: ROLE,
        file: file.to_owned(),
        fact,
    };
    let bytes = read_small(files, ROLE, file, LIMIT)?;
    let described: Description =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let target = described.target(compat).map_err(wrong)?;
    let ids: BTreeSet<_> = described.hwids.iter().map(|id| id.into_bytes()).collect();
    Ok(Device {
        name: described.name,
        target,
        ids,
    })
}

impl Description {
    /// ukify 257 knows device trees only, and does not look at `type`.
    fn target(&self, compat: Ukify) -> Result<Target, String> {
        let kind = match (compat, self.kind.as_deref()) {
            (Ukify::V257, None) => "devicetree",
            (_, Some(kind)) => kind,
            (Ukify::V262, None) => {
                return Err("it has no \"type\", \"devicetree\" or \"uefi-fw\"".to_owned());
            }
        };
        let (wanted, other) = match kind {
            "devicetree" => (("compatible", &self.compatible), ("fwid", &self.fwid)),
            "uefi-fw" => (("fwid", &self.fwid), ("compatible", &self.compatible)),
            other => {
                return Err(format!(
                    "its type is {other:?}: \"devicetree\" and \"uefi-fw\" are known"
                ));
            }
        };
        if other.1.is_some() {
            return Err(format!("it is of type {kind:?} and has {:?}", other.0));
        }
        let text = wanted.1.clone();
        let text =
            text.ok_or_else(|| format!("it is of type {kind:?} and has no {:?}", wanted.0))?;
        Ok(match kind {
            "uefi-fw" => Target::Firmware(text),
            _ => Target::DeviceTree(text),
        })
    }
}
