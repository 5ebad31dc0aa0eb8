//! `cargo xtask options`: the option reference, written from the NixOS modules.

use std::fs;

use anyhow::{Context, Result, bail};
use touchstone_harness::options::{MODULES, PAGE, reference};

use crate::{setup, toolchain};

/// Writes the page; with `check`, says whether it is what would be written.
pub fn run(check: bool) -> Result<()> {
    let checkout = toolchain::checkout()?;
    let page = checkout.join(PAGE);
    let wanted = reference(&setup::nix()?, &checkout, &checkout.join(MODULES))?;
    let is = fs::read_to_string(&page).unwrap_or_default();
    if is == wanted {
        println!("{PAGE} is what the modules say");
    } else if check {
        bail!("{PAGE} is not what the modules say: run `cargo xtask options`");
    } else {
        fs::write(&page, wanted).with_context(|| format!("writing {PAGE}"))?;
        println!("{PAGE} written");
    }
    Ok(())
}
