//! The index of what `cargo xtask setup` prepared: `inputs.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::enter::Root;
use crate::plugin_host::PluginHost;

/// Names the index: set by `cargo xtask test`.
pub const VARIABLE: &str = "TOUCHSTONE_TEST_INPUTS";

/// What the checks work with. Every path is absolute.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inputs {
    /// The unpacked roots.
    pub roots: Roots,
    /// Stock kernels by Debian architecture (`amd64`, `arm64`).
    pub kernel: BTreeMap<String, Kernel>,
    /// systemd's UKI stubs: by suite, then by firmware architecture (`x64`, `aa64`, …).
    pub stub: BTreeMap<String, BTreeMap<String, PathBuf>>,
    /// systemd's addon stubs, likewise.
    pub addon_stub: BTreeMap<String, BTreeMap<String, PathBuf>>,
    /// systemd-boot, likewise.
    pub boot: BTreeMap<String, BTreeMap<String, PathBuf>>,
    /// Every PE file of packages with EFI programs, by suite.
    #[serde(default)]
    pub efi: BTreeMap<String, Vec<PathBuf>>,
    /// The folder with interpreters, unpacked from their packages.
    #[serde(default)]
    pub interpreters: Option<PathBuf>,
    /// The folder with Python's `lief` for the trixie root, where it could be had.
    #[serde(default)]
    pub lief: Option<PathBuf>,
    /// The same for `keylime`.
    #[serde(default)]
    pub keylime: Option<PathBuf>,
    /// Firmware for machines under emulation.
    pub ovmf: Ovmf,
    /// The same of Debian's rolling release, where it could be had.
    #[serde(default)]
    pub newest_ovmf: Option<Ovmf>,
    /// The static binary `touchstone`, once it is built.
    pub touchstone: Option<PathBuf>,
    /// The static binary `touchstone-launcher`, once it is built.
    #[serde(default)]
    pub launcher: Option<PathBuf>,
    /// The static binary `touchstone-install`, once it is built.
    #[serde(default)]
    pub installer: Option<PathBuf>,
    /// The static binary `touchstone-pre-build-hook`, once it is built.
    #[serde(default)]
    pub hook: Option<PathBuf>,
    /// The static binary `touchstone-stage1`, once it is built.
    #[serde(default)]
    pub stage1: Option<PathBuf>,
    /// The static binary `touchstone-probe`, once it is built.
    pub probe: Option<PathBuf>,
    /// The PKCS#11 module that stands for a faulty token, once it is built.
    #[serde(default)]
    pub faulty_token: Option<PathBuf>,
    /// The folder with `libtouchstone.so` and `libtouchstone.a`, once they are built.
    #[serde(default)]
    pub library: Option<PathBuf>,
    /// The shared library with requests that make it panic, once it is built.
    #[serde(default)]
    pub faulty_library: Option<PathBuf>,
    /// The Nix that loads plugins, once it is built.
    #[serde(default)]
    pub plugin_host: Option<PluginHost>,
    /// The plugin as a package, `lib/nix/plugins/libtouchstone-nix.so` and what that loads, once it is built.
    #[serde(default)]
    pub plugin: Option<PathBuf>,
    /// The same, with faults that tests ask for.
    #[serde(default)]
    pub faulty_plugin: Option<PathBuf>,
}

/// Where the unpacked roots are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Roots {
    /// Debian 13.
    pub trixie: PathBuf,
    /// Debian's rolling release, where it could be had.
    pub sid: Option<PathBuf>,
}

/// A stock kernel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kernel {
    /// What `uname -r` prints on it.
    pub version: String,
    /// The image: a PE file.
    pub vmlinuz: PathBuf,
    /// The folder of its modules.
    pub modules: PathBuf,
}

/// Firmware images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ovmf {
    /// With Secure Boot and System Management Mode; read-only.
    pub code: PathBuf,
    /// The variables of a machine without keys: copy before use.
    pub vars: PathBuf,
}

impl Inputs {
    /// Reads an index.
    ///
    /// # Errors
    /// When the file is missing or is no index.
    pub fn read(path: &Path) -> Result<Inputs> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} is no index of inputs", path.display()))
    }

    /// Writes the index whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        fs::write(&partial, serde_json::to_vec_pretty(self)?)?;
        fs::rename(&partial, path).with_context(|| format!("writing {}", path.display()))
    }

    /// The root with Nix, QEMU and the peers of Debian 13.
    #[must_use]
    pub fn trixie(&self) -> Root {
        Root::at(&self.roots.trixie)
    }

    /// The root with the newest systemd peers, where it could be had.
    #[must_use]
    pub fn sid(&self) -> Option<Root> {
        self.roots.sid.as_ref().map(Root::at)
    }
}

/// The inputs of a test.
///
/// # Panics
/// When the test runs outside of `cargo xtask test`: no test passes by looking at nothing.
#[must_use]
#[expect(clippy::panic, reason = "a test without its inputs must fail loudly")]
pub fn inputs() -> Inputs {
    let Some(path) = std::env::var_os(VARIABLE) else {
        panic!(
            "{VARIABLE} is not set: run `cargo xtask test`, or one test by `cargo xtask cargo -- test NAME`"
        )
    };
    match Inputs::read(Path::new(&path)) {
        Ok(inputs) => inputs,
        Err(error) => panic!("{error:#}: run `cargo xtask setup`"),
    }
}
