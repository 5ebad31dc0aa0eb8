//! `cargo xtask header`: the header of the C ABI, written from the crate.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cbindgen::{Builder, Config};

use crate::toolchain;

/// The crate that C links with.
const CRATE: &str = "rust/doors/capi";
/// The header, in the crate's folder.
const HEADER: &str = "include/touchstone.h";

/// Writes the header; with `check`, says whether it is what would be written.
pub fn run(check: bool) -> Result<()> {
    let folder = toolchain::checkout()?.join(CRATE);
    let file = folder.join(HEADER);
    let wanted = header(&folder)?;
    let is = fs::read_to_string(&file).unwrap_or_default();
    if is == wanted {
        println!("{CRATE}/{HEADER} is what the crate says");
    } else if check {
        bail!("{CRATE}/{HEADER} is not what the crate says: run `cargo xtask header`");
    } else {
        fs::write(&file, wanted).with_context(|| format!("writing {}", file.display()))?;
        println!("{CRATE}/{HEADER} written");
    }
    Ok(())
}

/// The header of the crate in this folder.
fn header(folder: &Path) -> Result<String> {
    let configuration = folder.join("cbindgen.toml");
    let configuration = Config::from_file(&configuration)
        .map_err(|error| anyhow::anyhow!("{}: {error}", configuration.display()))?;
    let bindings = Builder::new()
        .with_config(configuration)
        .with_src(folder.join("src/options.rs"))
        .with_src(folder.join("src/abi.rs"))
        .generate()
        .context("reading the crate")?;
    let mut written = Vec::new();
    bindings.write(&mut written);
    Ok(String::from_utf8(written)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_header_is_what_the_crate_says() {
        run(true).unwrap();
    }
}
