//! `cargo xtask setup`: the cache, the roots, the target, the static binaries, the index of inputs.

use std::process::Command;

use anyhow::{Context, Result, bail};
use touchstone_harness::cache::Cache;
use touchstone_harness::progress::Stage;
use touchstone_harness::setup::{Scope, Setup};
use touchstone_harness::{Inputs, PluginHost, Root};

use crate::plugin::PluginCargo;
use crate::{linked, toolchain};

/// The programs that must run inside the trixie root, and how they say that they do.
const TRIXIE_PROGRAMS: [&[&str]; 15] = [
    &["nix", "--version"],
    &["ukify", "--version"],
    &["/usr/lib/systemd/systemd-measure", "--version"],
    &["qemu-system-x86_64", "--version"],
    &["swtpm", "--version"],
    &["virt-fw-vars", "--help"],
    &["sbsign", "--help"],
    &["osslsigncode", "--version"],
    &["pesign", "--help"],
    &["sign-efi-sig-list", "--help"],
    &["/usr/lib/systemd/systemd-sbsign", "--version"],
    &["softhsm2-util", "--version"],
    &["bash", "-c", TOKEN],
    &["tpm2_getcap", "--version"],
    &["bash", "-c", TPM],
];

/// SoftHSM and OpenSC start no further than this without a configuration of their own.
const TOKEN: &str = "echo directories.tokendir = /tmp >/tmp/conf \
    && SOFTHSM2_CONF=/tmp/conf pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --show-info";

/// OpenSSL's provider for keys in a TPM looks for one as soon as it is loaded.
const TPM: &str = "swtpm socket --tpm2 --daemon --tpmstate dir=/tmp --flags not-need-init,startup-clear \
    --server type=unixio,path=/tmp/tpm --ctrl type=unixio,path=/tmp/tpm.ctrl \
    && TPM2OPENSSL_TCTI=swtpm:path=/tmp/tpm openssl list -provider tpm2 -providers";

/// The programs that must run inside the sid root.
const SID_PROGRAMS: [&[&str]; 3] = [
    &["ukify", "--version"],
    &["/usr/lib/systemd/systemd-measure", "--version"],
    &["/usr/lib/systemd/systemd-sbsign", "--version"],
];

/// What a set-up does beside filling the cache.
#[derive(Clone, Copy, Default)]
pub struct Wish {
    /// Ask the mirror for newer packages even where the cache is complete.
    pub refresh: bool,
    /// Remove from the cache what is no longer wanted.
    pub prune: bool,
}

/// Prepares everything and writes the index.
pub fn run(wish: Wish) -> Result<Inputs> {
    let cache = Cache::open()?;
    let mut setup = Setup::new(&cache, wish.refresh);
    let mut inputs = fill(&mut setup, Scope::Everything)?;
    inputs.plugin_host = Some(setup.plugin_host()?);
    if wish.prune {
        println!("{} entries of the cache removed", setup.prune()?);
    }
    // Others need not wait while cargo works.
    drop(cache);
    add_binaries(&mut inputs)?;
    let stage = Stage::begin("Building a plugin that fails on demand");
    inputs.faulty_plugin = Some(plugins(&inputs)?.build(true)?);
    stage.done("ready");
    inputs.write(&linked::index()?)?;
    Ok(inputs)
}

/// Prepares what two generations of Debian 13 need. The index is left alone: it would name less than the last one.
pub fn generations() -> Result<Inputs> {
    let mut inputs = nix()?;
    inputs.plugin_host = Some(plugin_host()?);
    add_binaries(&mut inputs)?;
    Ok(inputs)
}

/// Prepares the Nix that loads plugins.
pub fn plugin_host() -> Result<PluginHost> {
    Setup::new(&Cache::open()?, false).plugin_host()
}

/// Prepares the root that has Nix and what goes with it, without programs of ours. The index is left alone as well.
pub fn nix() -> Result<Inputs> {
    let cache = Cache::open()?;
    fill(&mut Setup::new(&cache, false), Scope::Generations)
}

fn fill(setup: &mut Setup<'_>, scope: Scope) -> Result<Inputs> {
    let unpacked = setup.run(scope)?;
    for note in &unpacked.notes {
        eprintln!("note: {note}");
    }
    let inputs = touchstone_harness::index(&unpacked)?;
    try_programs(&inputs.trixie(), &TRIXIE_PROGRAMS)?;
    if let Some(sid) = inputs.sid() {
        try_programs(&sid, &SID_PROGRAMS)?;
    }
    Ok(inputs)
}

fn add_binaries(inputs: &mut Inputs) -> Result<()> {
    let binaries = toolchain::static_binaries()?;
    inputs.touchstone = Some(binaries.touchstone);
    inputs.launcher = Some(binaries.launcher);
    inputs.installer = Some(binaries.installer);
    inputs.hook = Some(binaries.hook);
    inputs.stage1 = Some(binaries.stage1);
    inputs.probe = Some(binaries.probe);
    inputs.faulty_token = Some(toolchain::faulty_token()?);
    let library = toolchain::library()?;
    inputs.library = Some(library.folder);
    inputs.faulty_library = Some(library.faulty);
    let stage = Stage::begin("Building the plugin of Nix");
    inputs.plugin = Some(plugins(inputs)?.build(false)?);
    stage.done("ready");
    Ok(())
}

/// Cargo where the plugin is built.
fn plugins(inputs: &Inputs) -> Result<PluginCargo> {
    let host = inputs.plugin_host.as_ref();
    PluginCargo::new(host.context("no Nix that loads plugins is prepared")?)
}

/// Runs each program of a root once: a root whose programs do not start is found here, not in a test.
fn try_programs(root: &Root, programs: &[&[&str]]) -> Result<()> {
    let tried = root.path().with_extension("tried");
    if tried.exists() {
        return Ok(());
    }
    for (program, arguments) in programs.iter().filter_map(|words| words.split_first()) {
        let mut command: Command = root.command(program)?;
        let output = command
            .args(arguments)
            .output()
            .context("starting unshare (package util-linux)")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{program} does not run inside {}: {}",
                root.path().display(),
                said.trim()
            );
        }
    }
    std::fs::write(tried, "")?;
    Ok(())
}
