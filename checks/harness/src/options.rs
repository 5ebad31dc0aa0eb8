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

/// What `checks/options.nix` tells.
#[derive(Debug, Deserialize)]
struct Answer {
    /// The files that are imported, in their order, from the folder of the modules.
    files: Vec<String>,
    options: Vec<Described>,
}

/// An option.
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
/// When the modules do not evaluate alone, or an option has no description or no file.
pub fn reference(inputs: &Inputs, checkout: &Path, modules: &Path) -> Result<String> {
    let Answer { files, options } = evaluate(inputs, checkout, modules)?;
    let problems: Vec<String> = options
        .iter()
        .filter_map(|option| option.problem(&files))
        .collect();
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    let mut sections = Vec::new();
    for file in &files {
        let declared = options.iter().filter(|option| option.declared_in(file));
        let declared: Vec<&Described> = declared.collect();
        if !declared.is_empty() {
            let text = fs::read_to_string(modules.join(file))
                .with_context(|| format!("reading {file}"))?;
            sections.push(markdown::section(file, &text, &declared));
        }
    }
    Ok(markdown::page(&sections))
}

impl Described {
    /// Whether its entry stands in this file's section: the first that declares it counts.
    fn declared_in(&self, file: &str) -> bool {
        self.declared.first().is_some_and(|first| first == file)
    }

    /// Why it cannot be told.
    fn problem(&self, files: &[String]) -> Option<String> {
        if self.description.is_none() {
            Some(format!("{} has no description", self.name))
        } else if !files.iter().any(|file| self.declared_in(file)) {
            Some(format!(
                "{} is declared in none of the imported files",
                self.name
            ))
        } else {
            None
        }
    }
}

fn evaluate(inputs: &Inputs, checkout: &Path, modules: &Path) -> Result<Answer> {
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
