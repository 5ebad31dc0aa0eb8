//! `cargo xtask test --nixpkgs PATH`: what is claimed of the NixOS modules, with a whole nixpkgs.

use std::path::Path;

use anyhow::{Result, bail};
use touchstone_harness::modules::{Failure, failures, with_nixpkgs};

use crate::{setup, toolchain};

/// Evaluates the claims and says which do not hold.
pub fn run(nixpkgs: &Path) -> Result<()> {
    let topics = with_nixpkgs(&setup::nix()?, &toolchain::checkout()?, nixpkgs)?;
    let mut failed: Vec<Failure> = Vec::new();
    for (topic, claims) in &topics {
        let here = failures(claims);
        println!(
            "{topic}: {} of {} claims hold",
            claims.len() - here.len(),
            claims.len()
        );
        failed.extend(here);
    }
    for failure in &failed {
        println!("{failure}");
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!(
        "{} claims do not hold with {}",
        failed.len(),
        nixpkgs.display()
    )
}
