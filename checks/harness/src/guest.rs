//! The guest of the boot checks, as a machine takes it: `touchstone-probe` in an initrd, and UKIs with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::inputs::Inputs;
use crate::nix::output;

/// What the guest's kernel is told when nothing else is asked for: its console, to end the machine when it fails, and not to fail when
/// the machine that emulates it was too busy to give it ticks in time.
pub const COMMAND_LINE: &str = "console=ttyS0 panic=-1 oops=panic no_timer_check";

/// The modules of the kernel that are not in it and by which the guest reaches the firmware's variables.
pub const VARIABLES: [&str; 1] = ["efivarfs"];

/// Those by which it reaches a disk with an ESP as well; its kernel has ext4.
pub const DISK: [&str; 6] = [
    "virtio_blk",
    "nls_cp437",
    "nls_ascii",
    "fat",
    "vfat",
    "efivarfs",
];

/// The files of modules of Debian 13's kernel, in the order of their names here.
///
/// # Errors
/// When one is not there.
pub fn modules(inputs: &Inputs, names: &[&str]) -> Result<Vec<PathBuf>> {
    let kernel = inputs.kernel.get("amd64");
    let kernel = kernel.context("no amd64 kernel: run `cargo xtask setup`")?;
    let mut found = BTreeMap::new();
    let mut folders = vec![kernel.modules.join("kernel")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
                let name = name.split('.').next().unwrap_or_default().replace('-', "_");
                found.insert(name, path);
            }
        }
    }
    let file = |name: &&str| {
        found
            .get(*name)
            .cloned()
            .with_context(|| format!("no module {name}"))
    };
    names.iter().map(file).collect()
}

/// Writes an initrd into the new folder `out`, with the probe as its only program; `generation` is the text by which two of them
/// differ. The answer is the initrd's path.
///
/// # Errors
/// When the probe is not built, or `out` is there already.
pub fn initrd(inputs: &Inputs, out: &Path, generation: Option<&str>) -> Result<PathBuf> {
    initrd_with_modules(inputs, out, generation, &[])
}

/// The same with these modules of the kernel.
///
/// # Errors
/// As there, or when one of them is not there.
pub fn initrd_with_modules(
    inputs: &Inputs,
    out: &Path,
    generation: Option<&str>,
    names: &[&str],
) -> Result<PathBuf> {
    let probe = inputs.probe.as_ref();
    let probe = probe.context("the static probe is not built: run `cargo xtask setup`")?;
    let modules = modules(inputs, names)?;
    let mut attributes = json!({ "mode": "initrd", "outputs": { "out": out }, "modules": modules });
    if let (Some(generation), Some(fields)) = (generation, attributes.as_object_mut()) {
        fields.insert("generation".to_owned(), json!(generation));
    }
    let file = tempfile::NamedTempFile::new().context("the attributes of an initrd")?;
    fs::write(file.path(), attributes.to_string()).context("the attributes of an initrd")?;
    let mut command = Command::new(probe);
    command.env("NIX_ATTRS_JSON_FILE", file.path());
    output(command)?;
    Ok(out.join("initrd"))
}

/// A command of the program under test that builds an unsigned UKI of Debian 13's kernel and stub; it still wants its initrd, its
/// command line and `--output`.
///
/// # Errors
/// When an input is missing.
pub fn uki(inputs: &Inputs) -> Result<Command> {
    uki_with_stub(inputs, "trixie")
}

/// The same with the stub of another suite.
///
/// # Errors
/// When an input is missing.
pub fn uki_with_stub(inputs: &Inputs, suite: &str) -> Result<Command> {
    let missing = || format!("an input of {suite} is missing: run `cargo xtask setup`");
    let touchstone = inputs.touchstone.as_ref().with_context(missing)?;
    let kernel = inputs.kernel.get("amd64").with_context(missing)?;
    let stubs = inputs.stub.get(suite).with_context(missing)?;
    let stub = stubs.get("x64").with_context(missing)?;
    let mut command = Command::new(touchstone);
    command.args(["uki", "build"]);
    command.arg("--stub").arg(stub);
    command.arg("--linux").arg(&kernel.vmlinuz);
    Ok(command)
}
