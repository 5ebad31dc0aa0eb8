//! What is claimed of the NixOS modules (`checks/modules`), evaluated by real Nix: with the stand-in for nixpkgs, or with a whole nixpkgs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::inputs::Inputs;
use crate::nix::{Nix, output};
use crate::stand_in;

/// A claim: two values that have to be the same.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claim {
    /// What is claimed.
    pub expected: Value,
    /// What the modules make.
    pub got: Value,
}

/// The claims by their words.
pub type Claims = BTreeMap<String, Claim>;

/// A claim that does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The claim's words.
    pub claim: String,
    /// Its values.
    pub values: Claim,
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Claim { expected, got } = &self.values;
        write!(
            to,
            "{}\n  expected {expected}\n  but got  {got}",
            self.claim
        )
    }
}

/// Those that do not hold.
#[must_use]
pub fn failures(claims: &Claims) -> Vec<Failure> {
    let fails = claims
        .iter()
        .filter(|(_, values)| values.expected != values.got);
    let failure = |(claim, values): (&String, &Claim)| Failure {
        claim: claim.clone(),
        values: values.clone(),
    };
    fails.map(failure).collect()
}

/// What is claimed of the modules.
const CLAIMS: &str = "checks/modules";

/// The topics with their claims, of the modules of this checkout with the stand-in for nixpkgs.
///
/// # Errors
/// When the stand-in cannot be made or Nix cannot evaluate the claims.
pub fn with_stand_in(inputs: &Inputs, checkout: &Path) -> Result<BTreeMap<String, Claims>> {
    let folder = tempfile::tempdir()?;
    let nixpkgs = stand_in::nixpkgs(checkout, folder.path())?;
    evaluate(
        inputs,
        checkout,
        CLAIMS,
        &nixpkgs,
        &["--arg", "minimal", "true"].map(str::to_owned),
    )
}

/// The same with a whole nixpkgs, a checkout of it.
///
/// # Errors
/// When Nix cannot evaluate the claims.
pub fn with_nixpkgs(
    inputs: &Inputs,
    checkout: &Path,
    nixpkgs: &Path,
) -> Result<BTreeMap<String, Claims>> {
    let machine = checkout.join("checks/modules/machine.nix");
    let arguments = [
        "--arg".to_owned(),
        "machine".to_owned(),
        machine.display().to_string(),
    ];
    let nixpkgs = nixpkgs
        .canonicalize()
        .with_context(|| format!("looking for nixpkgs at {}", nixpkgs.display()))?;
    evaluate(inputs, checkout, CLAIMS, &nixpkgs, &arguments)
}

/// What an expression of this checkout gives, a function of `nixpkgs`, with the stand-in.
///
/// # Errors
/// When the stand-in cannot be made or Nix cannot evaluate it.
pub fn evaluated<T: DeserializeOwned>(
    inputs: &Inputs,
    checkout: &Path,
    expression: &str,
) -> Result<T> {
    let folder = tempfile::tempdir()?;
    let nixpkgs = stand_in::nixpkgs(checkout, folder.path())?;
    evaluate(inputs, checkout, expression, &nixpkgs, &[])
}

fn evaluate<T: DeserializeOwned>(
    inputs: &Inputs,
    checkout: &Path,
    expression: &str,
    nixpkgs: &Path,
    arguments: &[String],
) -> Result<T> {
    let store = tempfile::tempdir()?;
    let nix = Nix::new(inputs, store.path())?.show(checkout).show(nixpkgs);
    let mut command = nix.command("nix-instantiate")?;
    command.args(["--eval", "--strict", "--json"]);
    command.arg(checkout.join(expression));
    command.arg("--arg").arg("nixpkgs").arg(nixpkgs);
    command.args(arguments);
    Ok(serde_json::from_str(&output(command)?)?)
}
