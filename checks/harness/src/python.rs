//! A Python package that Debian does not have: fetched by pip inside the trixie root, for the Python there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::enter::{Root, Visit};
use crate::progress::Stage;

/// LIEF, a PE parser in C++ with a Python door: the one wheel that is used, by its hash.
const LIEF: &str =
    "lief==1.0.0 --hash=sha256:41ff868f5328fc8e5237a9e1f4718590e0ee9180c1422b3e4948b7116ba4517c";

/// What pip needs of the machine to reach its registry.
const NETWORK: [&str; 2] = ["/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"];

/// The folder that `PYTHONPATH` must name to import `lief` in the trixie root.
///
/// # Errors
/// When the package cannot be had.
pub fn lief(cache: &Cache, trixie: &Root) -> Result<PathBuf> {
    let folder = cache.folder("python")?.join(cache::key([LIEF]));
    cache::complete(&folder, |folder| {
        let stage = Stage::begin("Fetching LIEF");
        let requirements = folder.join("requirements");
        fs::write(&requirements, LIEF)?;
        let visit = NETWORK
            .into_iter()
            .filter(|file| Path::new(file).exists())
            .fold(trixie.visit(), Visit::show);
        let mut pip = visit.bind(folder).command("python3")?;
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
        ]);
        pip.args(["--no-cache-dir", "--only-binary", ":all:", "--target"]);
        pip.arg(folder).arg("--requirement").arg(&requirements);
        pip.envs(std::env::vars_os().filter(|(name, _)| concerns_pip(&name.to_string_lossy())));
        let output = pip
            .stdin(Stdio::null())
            .output()
            .context("starting pip in the trixie root")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        stage.done("ready");
        Ok(())
    })?;
    Ok(folder)
}

/// Variables by which a machine names its registry or its proxy.
fn concerns_pip(name: &str) -> bool {
    name == "PIP_INDEX_URL" || name.to_ascii_lowercase().ends_with("_proxy")
}
