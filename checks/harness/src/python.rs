//! Python packages that Debian does not have: fetched by pip inside the trixie root, for the Python there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::cache::{self, Cache};
use crate::enter::{Root, Visit};
use crate::progress::Stage;

/// Wheels that are used together, each by its hash.
struct Wheels {
    /// What a person calls them.
    title: &'static str,
    /// Lines of a requirements file.
    wheels: &'static [&'static str],
}

/// LIEF, a PE parser in C++ with a Python door: the one wheel that is used.
const LIEF: Wheels = Wheels {
    title: "LIEF",
    wheels: &[
        "lief==1.0.0 --hash=sha256:41ff868f5328fc8e5237a9e1f4718590e0ee9180c1422b3e4948b7116ba4517c",
    ],
};

/// Keylime, which attests machines by their PCRs, and what its verifier's judgement of a quote imports.
const KEYLIME: Wheels = Wheels {
    title: "Keylime",
    wheels: &[
        "keylime==7.14.3 --hash=sha256:38596188f7950ae7d095b162a3ecc61345cd6f419b8302f5cf1c961d8e586e8d",
        "lark==1.3.1 --hash=sha256:c629b661023a014c37da873b4ff58a817398d12635d3bbb2c5a03be7fe5d1e12",
        "pyasn1==0.6.5 --hash=sha256:4017b0fce125096b8573b39c989fdb1a4b19cf761e683398184550fea0e66587",
        "pyasn1-modules==0.4.2 --hash=sha256:29253a9207ce32b64c3ac6600edc75368f98473906e8fd1043bd6b5b1de2c14a",
        "pyyaml==6.0.3 --hash=sha256:0f29edc409a6392443abf94b9cf89ce99889a1dd5376d94316ae5145dfedd5d6",
    ],
};

/// What pip needs of the machine to reach its registry.
const NETWORK: [&str; 2] = ["/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"];

/// The folder that `PYTHONPATH` must name to import `lief` in the trixie root.
///
/// # Errors
/// When the package cannot be had.
pub fn lief(cache: &Cache, trixie: &Root) -> Result<PathBuf> {
    fetch(cache, trixie, &LIEF)
}

/// The same for `keylime`.
///
/// # Errors
/// When a package cannot be had.
pub fn keylime(cache: &Cache, trixie: &Root) -> Result<PathBuf> {
    fetch(cache, trixie, &KEYLIME)
}

fn fetch(cache: &Cache, trixie: &Root, Wheels { title, wheels }: &Wheels) -> Result<PathBuf> {
    let folder = cache
        .folder("python")?
        .join(cache::key(wheels.iter().copied()));
    cache::complete(&folder, |folder| {
        let stage = Stage::begin(format!("Fetching {title}"));
        install(trixie, wheels, folder)?;
        stage.done("ready");
        Ok(())
    })?;
    Ok(folder)
}

/// A visit to the root from which its machine's registries can be reached, with `folder` to write to.
pub(crate) fn online(trixie: &Root, folder: &Path) -> Visit {
    let visit = NETWORK
        .into_iter()
        .filter(|file| Path::new(file).exists())
        .fold(trixie.visit(), Visit::show);
    visit.bind(folder).folder(folder)
}

/// Installs wheels, lines of a requirements file with a hash each, into a folder.
///
/// # Errors
/// When one cannot be had, or is another than the one that is pinned.
pub(crate) fn install(trixie: &Root, wheels: &[&str], folder: &Path) -> Result<()> {
    let requirements = folder.join("requirements");
    fs::write(&requirements, wheels.join("\n"))?;
    let mut pip = online(trixie, folder).command("python3")?;
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
    pip.envs(std::env::vars_os().filter(|(name, _)| concerns_registry(&name.to_string_lossy())));
    let output = pip
        .stdin(Stdio::null())
        .output()
        .context("starting pip in the trixie root")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Variables by which a machine names its registry or its proxy.
pub(crate) fn concerns_registry(name: &str) -> bool {
    ["PIP_INDEX_URL", "npm_config_registry"].contains(&name)
        || name.to_ascii_lowercase().ends_with("_proxy")
}
