//! Predictions that the plugin computes while Nix evaluates, purely: of a flake that holds all that `checks/generations.nix` is given.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::given::Given;
use crate::inputs::Inputs;
use crate::nix::{Nix, output};

/// What the expression is made of, from the checkout.
const SOURCES: [&str; 4] = [
    "Cargo.toml",
    "checks/generations.nix",
    "checks/verified.nix",
    "nix-plugin/lib",
];

/// What an evaluation says of all generations.
#[derive(Debug, Deserialize)]
pub struct Evaluated {
    /// Which door of values was there: `plugin`, or else `builder`.
    pub door: String,
    /// What each generation will measure, by what its initrd says that it is.
    pub predicted: BTreeMap<String, Value>,
}

/// Evaluates in the store in which the generations were built. Nothing may be built: the derivations are the same, or Nix refuses.
pub(super) fn evaluate(
    inputs: &Inputs,
    checkout: &Path,
    folder: &Path,
    store: &Path,
    given: &[(&'static str, Given)],
) -> Result<Evaluated> {
    let flake = folder.join("evaluated");
    for source in SOURCES {
        copy(&checkout.join(source), &flake.join(source))?;
    }
    fs::write(flake.join("flake.nix"), text(&flake, given)?)?;
    let nix = Nix::with_plugin(inputs, store)?.show(&flake);
    let mut command = nix.command("nix")?;
    command.args(["eval", "--json", "--max-jobs", "0"]);
    command.arg(format!("path:{}#evaluated", flake.display()));
    let answer = output(command).context("predicting while Nix evaluates")?;
    Ok(serde_json::from_str(&answer)?)
}

/// The flake, into which the files that it names are copied.
fn text(flake: &Path, given: &[(&'static str, Given)]) -> Result<String> {
    let mut copied = 0;
    let mut place = |path: &Path| -> Result<String> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.with_context(|| format!("{} has no name", path.display()))?;
        copied += 1;
        // The name stays: it is part of store paths.
        let place = PathBuf::from(format!("given/{copied}")).join(name);
        copy(path, &flake.join(&place))?;
        Ok(format!("./{}", place.display()))
    };
    let mut arguments = String::new();
    for (name, value) in given {
        arguments += &format!("{name} = {}; ", value.expression(&mut place)?);
    }
    Ok(format!(
        "{{ outputs = _: {{ inherit (import ./checks/generations.nix {{ {arguments}}}) evaluated; }}; }}\n"
    ))
}

/// Copies a file, or a folder with all in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("copying {}", from.display()))
}
