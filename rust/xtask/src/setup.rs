//! `cargo xtask setup`: the cache, the roots, the target, the static binaries, the index of inputs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use touchstone_harness::cache::{self, Cache};
use touchstone_harness::setup::Setup;
use touchstone_harness::{Inputs, Root};

use crate::toolchain;

/// The programs that must run inside the trixie root, and how they say that they do.
const TRIXIE_PROGRAMS: [(&str, &str); 8] = [
    ("nix", "--version"),
    ("ukify", "--version"),
    ("/usr/lib/systemd/systemd-measure", "--version"),
    ("qemu-system-x86_64", "--version"),
    ("swtpm", "--version"),
    ("virt-fw-vars", "--help"),
    ("sbsign", "--help"),
    ("osslsigncode", "--version"),
];

/// The programs that must run inside the sid root.
const SID_PROGRAMS: [(&str, &str); 2] = [
    ("ukify", "--version"),
    ("/usr/lib/systemd/systemd-measure", "--version"),
];

/// Prepares everything; the answer is the path of the index and what it says.
pub fn run(refresh: bool) -> Result<(PathBuf, Inputs)> {
    let cache = Cache::open()?;
    let unpacked = Setup::new(&cache, refresh).run()?;
    for note in &unpacked.notes {
        eprintln!("note: {note}");
    }
    let mut inputs = touchstone_harness::index(&unpacked)?;
    try_programs(&inputs.trixie(), &TRIXIE_PROGRAMS)?;
    if let Some(sid) = inputs.sid() {
        try_programs(&sid, &SID_PROGRAMS)?;
    }
    // Others need not wait while cargo works.
    drop(cache);
    let binaries = toolchain::static_binaries()?;
    inputs.touchstone = Some(binaries.touchstone);
    inputs.probe = Some(binaries.probe);
    let index = cache::location()?.join("inputs.json");
    inputs.write(&index)?;
    Ok((index, inputs))
}

/// Runs each program of a root once: a root whose programs do not start is found here, not in a test.
fn try_programs(root: &Root, programs: &[(&str, &str)]) -> Result<()> {
    let tried = root.path().with_extension("tried");
    if tried.exists() {
        return Ok(());
    }
    for (program, argument) in programs {
        let mut command: Command = root.command(program)?;
        let output = command
            .arg(argument)
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
