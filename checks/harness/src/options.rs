//! The option reference: the options of the NixOS modules, as nixpkgs' `lib` sees them, in Markdown.
//!
//! `checks/options.nix` evaluates the modules with real Nix and the pinned copy of nixpkgs' `lib` ([`stand_in`]); here its answer
//! becomes a page, one section a file of the modules, one entry an option, always in the same order.

mod markdown;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::inputs::Inputs;
use crate::nix::{Nix, output};
use crate::stand_in;

/// The page, from the root of the repository.
pub const PAGE: &str = "docs/options.md";
/// The folder of the modules, from the root of the repository.
pub const MODULES: &str = "nixos-modules";

/// An option, as `checks/options.nix` tells it.
#[derive(Debug, Deserialize)]
struct Described {
    name: String,
    r#type: String,
    description: Option<String>,
    /// Files, from the folder of the modules.
    declared: Vec<String>,
    default: Option<Literal>,
    example: Option<Literal>,
    #[serde(rename = "readOnly")]
    read_only: bool,
}

/// A value as documentation shows it.
#[derive(Debug, Deserialize)]
struct Literal {
    #[serde(rename = "_type")]
    kind: String,
    text: String,
}

/// The page for the modules below `modules`; `checkout` has the expression that looks at them.
///
/// # Errors
/// When the modules do not evaluate alone, or an option has no description.
pub fn reference(inputs: &Inputs, checkout: &Path, modules: &Path) -> Result<String> {
    let options = evaluate(inputs, checkout, modules)?;
    let undescribed: Vec<&str> = options
        .iter()
        .filter(|option| option.description.is_none())
        .map(|option| option.name.as_str())
        .collect();
    if !undescribed.is_empty() {
        bail!("options without a description: {}", undescribed.join(", "));
    }
    let mut sections = Vec::new();
    for file in files(&options) {
        let text =
            fs::read_to_string(modules.join(file)).with_context(|| format!("reading {file}"))?;
        let declared_here = options
            .iter()
            .filter(|option| option.declared.first().is_some_and(|first| first == file));
        sections.push(markdown::section(file, &text, declared_here));
    }
    Ok(markdown::page(&sections))
}

fn evaluate(inputs: &Inputs, checkout: &Path, modules: &Path) -> Result<Vec<Described>> {
    let folder = tempfile::tempdir()?;
    let nixpkgs = stand_in::nixpkgs(checkout, folder.path())?;
    let nix = Nix::new(inputs, folder.path().join("store"))?
        .show(checkout)
        .show(modules)
        .show(&nixpkgs);
    let mut command = nix.command("nix-instantiate")?;
    command.args(["--eval", "--strict", "--json"]);
    command.arg(checkout.join("checks/options.nix"));
    command.arg("--arg").arg("lib").arg(nixpkgs.join("lib"));
    command.arg("--arg").arg("modules").arg(modules);
    Ok(serde_json::from_str(&output(command)?)?)
}

/// The files that declare options, each once, by the alphabet.
fn files(options: &[Described]) -> Vec<&str> {
    let mut files: Vec<&str> = options
        .iter()
        .filter_map(|option| option.declared.first().map(String::as_str))
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}
