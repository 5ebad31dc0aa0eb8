//! A Python package that Debian does not have: fetched by the machine's own pip, for the Python of the trixie root.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::progress::Stage;

/// LIEF, a PE parser in C++ with a Python door: the one wheel that is used, by its hash.
const LIEF: &str =
    "lief==1.0.0 --hash=sha256:41ff868f5328fc8e5237a9e1f4718590e0ee9180c1422b3e4948b7116ba4517c";

/// The folder that `PYTHONPATH` must name to import `lief` in the trixie root.
///
/// # Errors
/// When there is no pip, or the package cannot be had.
pub fn lief(cache: &Cache) -> Result<PathBuf> {
    let folder = cache.folder("python")?.join(cache::key([LIEF]));
    cache::complete(&folder, |folder| {
        let stage = Stage::begin("Fetching LIEF");
        let requirements = folder.join("requirements");
        fs::write(&requirements, LIEF)?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
        ]);
        pip.args([
            "--only-binary",
            ":all:",
            "--implementation",
            "cp",
            "--python-version",
            "3.13",
        ]);
        pip.args(["--platform", "manylinux_2_28_x86_64", "--target"]);
        pip.arg(folder).arg("--requirement").arg(&requirements);
        let output = pip
            .stdin(Stdio::null())
            .output()
            .context("starting python3")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        stage.done("ready");
        Ok(())
    })?;
    Ok(folder)
}
