//! `boot.json`, Bootspec v1 as nixpkgs writes it: keys sorted, and each specialisation's whole document inside.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the document says beyond the toplevel's other attributes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attributes {
    /// The program that appends secrets to the initrd, which nixpkgs names where there are none as well.
    initrd_secrets: PathBuf,
    /// Other objects of the document, by name.
    extensions: BTreeMap<String, Value>,
}

/// The document's text.
pub fn text(toplevel: &super::Attributes, bootspec: &Attributes, out: &Path) -> Result<String> {
    let mut specialisations = BTreeMap::new();
    for (name, specialisation) in &toplevel.specialisations {
        let file = specialisation.join("boot.json");
        let text = fs::read(&file).with_context(|| file.display().to_string())?;
        let document: BTreeMap<String, Value> =
            serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
        specialisations.insert(name, document);
    }
    let core: BTreeMap<&str, Value> = BTreeMap::from([
        ("init", json!(out.join("init"))),
        ("initrd", json!(toplevel.initrd)),
        ("initrdSecrets", json!(bootspec.initrd_secrets)),
        ("kernel", json!(toplevel.kernel)),
        ("kernelParams", json!(toplevel.kernel_params)),
        ("label", json!(toplevel.nixos_version)),
        ("system", json!(toplevel.system)),
        ("toplevel", json!(out)),
    ]);
    let mut document = BTreeMap::from([
        ("org.nixos.bootspec.v1", json!(core)),
        ("org.nixos.specialisation.v1", json!(specialisations)),
    ]);
    let extensions = bootspec.extensions.iter();
    document.extend(extensions.map(|(name, value)| (name.as_str(), value.clone())));
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}
