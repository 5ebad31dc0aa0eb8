//! What a machine boots of a generation, as the generation's own `boot.json` names it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::nix::Nix;

/// A generation or a specialisation: files that a machine boots, and what it will measure.
#[derive(Debug, Clone)]
pub struct Bootable {
    /// What it is called to people.
    pub name: &'static str,
    /// What its initrd says that it is.
    pub generation: &'static str,
    /// The boot loader.
    pub loader: PathBuf,
    /// The UKI.
    pub uki: PathBuf,
    /// The predicted values.
    pub pcrs: PathBuf,
}

impl Bootable {
    /// What the installer calls its UKI by: the first half of the SHA-256 digest of its bytes, in hexadecimal digits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn hash(&self) -> Result<String> {
        let bytes = fs::read(&self.uki).with_context(|| self.uki.display().to_string())?;
        let mut text = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
        text.truncate(32);
        Ok(text)
    }
}

/// What is called how.
#[derive(Debug, Clone, Copy)]
pub struct Called {
    /// To people.
    pub name: &'static str,
    /// By its initrd.
    pub generation: &'static str,
    /// By the document, where it is a specialisation.
    pub specialisation: Option<&'static str>,
}

/// Finds the files of a folder of boot artifacts or of a sealed generation, at a store path of `nix`.
///
/// # Errors
/// When they are not where they are named.
pub fn bootable(nix: &Nix, path: &str, called: &Called) -> Result<Bootable> {
    let file = nix.on_host(path).join("boot.json");
    let text = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let document: Value = serde_json::from_slice(&text)?;
    let ours = document
        .get("org.touchstone.v1")
        .with_context(|| format!("{} describes no artifacts", file.display()))?;
    let own = match called.specialisation {
        Some(name) => ours.pointer(&format!("/specialisations/{name}")),
        None => Some(ours),
    };
    let named = |object: Option<&Value>, kind: &str| -> Result<PathBuf> {
        let path_of = object.and_then(|object| object.get(kind)?.get("path")?.as_str());
        let below = path_of.with_context(|| format!("{} names no {kind}", file.display()))?;
        followed(nix, path, below)
    };
    Ok(Bootable {
        name: called.name,
        generation: called.generation,
        loader: named(Some(ours), "loader")?,
        uki: named(own, "uki")?,
        pcrs: named(own, "pcrs")?,
    })
}

/// Where a file below a store path is, seen from the host: links lead from store path to store path.
fn followed(nix: &Nix, path: &str, below: &str) -> Result<PathBuf> {
    let mut at = nix.on_host(path);
    for component in Path::new(below) {
        at.push(component);
        if at.is_symlink() {
            let target = fs::read_link(&at)?;
            let target = target.to_str().context("a link whose target is no text")?;
            at = nix.on_host(target);
        }
    }
    Ok(at)
}
