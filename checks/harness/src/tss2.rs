//! tpm2-tss for programs of this workspace that speak to a TPM: unpacked and never installed.
//!
//! The build script of `tss-esapi-sys` asks pkg-config, so it would need the development package of the machine. A
//! cargo configuration answers in its place: cargo calls that overriding a build script.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::{self, Cache};

/// Raised when what is written here changes.
const LAYOUT: &str = "1";

/// Where Debian's packages have their libraries.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// What the linker is asked for.
const LINKED: [&str; 4] = ["tss2-sys", "tss2-esys", "tss2-tctildr", "tss2-mu"];

const CONFIGURATION: &str = "cargo.toml";

/// Not in the folder of links, which would put it before the machine's own.
const CRYPTO: &str = "libcrypto.so.3";

/// What cargo and the programs that it builds are given.
#[derive(Debug, Clone)]
pub struct Tss2 {
    folder: PathBuf,
    /// Links to tpm2-tss alone; second, where the machine has none, to libcrypto alone.
    folders: Vec<PathBuf>,
}

impl Tss2 {
    /// Prepares what is needed of these unpacked packages.
    pub(crate) fn of(cache: &Cache, packages: &Path) -> Result<Tss2> {
        let name = packages.to_str().context("the cache's path is no UTF-8")?;
        let folder = cache.folder("tss2")?.join(cache::key([LAYOUT, name]));
        cache::complete(&folder, |folder| write(&packages.join(LIBRARIES), folder))?;
        let links = folder.join("lib");
        let mut folders = vec![links.clone()];
        if !machine_has_crypto(&links)? {
            folders.push(folder.join("crypto"));
        }
        Ok(Tss2 { folder, folders })
    }

    /// The folder of the cache.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file for cargo's `--config`.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.folder.join(CONFIGURATION)
    }

    /// `LD_LIBRARY_PATH`: what the environment has, and behind it the folders of links. The linker reads it too, for libcrypto.
    ///
    /// # Errors
    /// When a folder's name contains a colon.
    pub fn library_path(&self) -> Result<OsString> {
        let set = std::env::var_os("LD_LIBRARY_PATH").filter(|value| !value.is_empty());
        let before: Vec<PathBuf> = set.iter().flat_map(std::env::split_paths).collect();
        std::env::join_paths(before.iter().chain(&self.folders))
            .context("LD_LIBRARY_PATH cannot name the cache")
    }
}

/// Makes the links and writes the configuration.
fn write(libraries: &Path, folder: &Path) -> Result<()> {
    let (links, crypto) = (folder.join("lib"), folder.join("crypto"));
    fs::create_dir(&links)?;
    fs::create_dir(&crypto)?;
    for entry in
        fs::read_dir(libraries).with_context(|| format!("reading {}", libraries.display()))?
    {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with("libtss2-") {
            symlink(entry.path(), links.join(&name))?;
        }
    }
    for name in LINKED {
        let shared = format!("lib{name}.so");
        let soname = fs::read_dir(&links)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains(&format!("/{shared}.")))
            .with_context(|| format!("the packages of tpm2-tss bring no {shared}"))?;
        symlink(soname, links.join(shared))?;
    }
    symlink(libraries.join(CRYPTO), crypto.join(CRYPTO))?;
    fs::write(folder.join(CONFIGURATION), configuration(&links)?)?;
    Ok(())
}

/// Cargo's answer in place of the build script. `tss-esapi` reads the first digit of the version.
fn configuration(links: &Path) -> Result<String> {
    // A JSON string is a TOML string.
    let search = serde_json::to_string(&format!("native={}", links.display()))?;
    let linked = serde_json::to_string(&LINKED)?;
    Ok(format!(
        "[target.x86_64-unknown-linux-gnu.tss2-esys]\nrustc-link-lib = {linked}\nrustc-link-search = [{search}]\nversion = \"3.2.1\"\n"
    ))
}

/// Asks the machine's loader whether it finds all that tpm2-tss needs: that is libcrypto, and the C library, which it has. NixOS has no
/// loader there, nor a libcrypto that it would find.
fn machine_has_crypto(links: &Path) -> Result<bool> {
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    if !loader.exists() {
        return Ok(false);
    }
    let output = Command::new(loader)
        .arg("--list")
        .arg(links.join("libtss2-esys.so"))
        .env("LD_LIBRARY_PATH", links)
        .output()
        .with_context(|| format!("starting {}", loader.display()))?;
    Ok(output.status.success())
}
