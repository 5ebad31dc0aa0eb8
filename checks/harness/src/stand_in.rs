//! A stand-in for nixpkgs, so that the flake is evaluated offline: `checks/nixpkgs-stand-in` completed with nixpkgs' `lib`.
//!
//! That library is nobody's crate, but `nixdoc` carries a copy of it (of about mid-2024) among its test fixtures. It is fetched by
//! cargo as that crate is, with the checksum below, and kept in the cache: it never becomes part of this repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cache::{self, Cache};
use crate::nix::output;

const CRATE: &str = "nixdoc";
const VERSION: &str = "0.3.0";
/// What the registry says that the crate's archive hashes to; cargo checks the archive against it.
const CHECKSUM: &str = "737ae00607e3b64b54cd08a329db492729ac42d664732219ed83e5fd1cbe5667";
/// Where in the crate the library is.
const LIBRARY: &str = "src/tests/fixtures";

/// Makes the stand-in as `folder/nixpkgs`, a flake.
///
/// # Errors
/// When the crate cannot be fetched, is not the one that is pinned, or a file cannot be copied.
pub fn nixpkgs(checkout: &Path, folder: &Path) -> Result<PathBuf> {
    let nixpkgs = folder.join("nixpkgs");
    copy(&checkout.join("checks/nixpkgs-stand-in"), &nixpkgs)?;
    copy(&library()?, &nixpkgs.join("lib"))?;
    Ok(nixpkgs)
}

/// Copies a checkout as `folder/touchstone`, without what is built there and without git's own files.
///
/// # Errors
/// When a file cannot be copied.
pub fn sources(checkout: &Path, folder: &Path) -> Result<PathBuf> {
    let sources = folder.join("touchstone");
    copy(checkout, &sources)?;
    Ok(sources)
}

/// nixpkgs' `lib`, fetched once into the cache.
fn library() -> Result<PathBuf> {
    let name = format!("{CRATE}-{VERSION}");
    let folder = cache::location()?.join("nixpkgs-lib").join(name);
    // The cache is locked only to fill it: a set-up beside this test may hold the lock for long.
    if !cache::is_complete(&folder) {
        let _lock = Cache::open()?;
        cache::complete(&folder, |folder| {
            let source = fetch(folder)?;
            copy(&source.join(LIBRARY), &folder.join("lib"))
        })?;
    }
    Ok(folder.join("lib"))
}

/// Fetches the crate through cargo's own client; the answer is the folder of its source.
fn fetch(folder: &Path) -> Result<PathBuf> {
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n{CRATE} = \"={VERSION}\"\n"
    );
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    let cargo = |arguments: &[&str]| {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        output({
            command.current_dir(folder).args(arguments);
            command
        })
    };
    cargo(&["fetch", "--quiet"]).with_context(|| format!("fetching {CRATE} {VERSION}"))?;
    if !fs::read_to_string(folder.join("Cargo.lock"))?.contains(CHECKSUM) {
        bail!("{CRATE} {VERSION} is not the crate whose checksum is pinned here");
    }
    let metadata: Value = serde_json::from_str(&cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--offline",
    ])?)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    let manifest = packages
        .into_iter()
        .flatten()
        .find(|package| package.get("name").and_then(Value::as_str) == Some(CRATE))
        .and_then(|package| package.get("manifest_path").and_then(Value::as_str));
    let source = manifest.and_then(|manifest| Path::new(manifest).parent());
    source
        .map(Path::to_owned)
        .with_context(|| format!("cargo does not say where {CRATE} is"))
}

/// What is left out when a folder is copied.
const NO_SOURCES: [&str; 2] = ["target", ".git"];

/// Copies a file, or a folder with everything in it but [`NO_SOURCES`].
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
        return Ok(());
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let name = entry?.file_name();
        if !NO_SOURCES.iter().any(|left_out| name == *left_out) {
            copy(&from.join(&name), &to.join(&name))?;
        }
    }
    Ok(())
}
