//! What the Nix builds of the checks are given beside Debian's files: programs as packages, and keys made on the spot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::inputs::Inputs;
use crate::nix::{Nix, output};

/// Where the sandbox of a build shows the folder of keys.
pub const KEYS_IN_SANDBOX: &str = "/touchstone-test-keys";

/// The arguments of Nix by which the sandbox shows this folder of keys.
#[must_use]
pub fn show_keys(keys: &Path) -> [String; 3] {
    let shown = format!("{KEYS_IN_SANDBOX}={}", keys.display());
    [
        "--option".to_owned(),
        "extra-sandbox-paths".to_owned(),
        shown,
    ]
}

/// Makes keys of Secure Boot with the program under test: PK, KEK and db, each as `.key`, `.pem` and `.esl`.
///
/// # Errors
/// When it refuses.
pub fn make_keys(touchstone: &Path, folder: &Path) -> Result<()> {
    let mut command = Command::new(touchstone);
    command.args(["keys", "generate", "--test"]).arg(folder);
    output(command).map(drop)
}

/// Makes a Nix signing key in the folder: `NAME.secret` and `NAME.public`. The answer is the public one.
///
/// # Errors
/// When Nix refuses.
pub fn make_manifest_key(nix: &Nix, folder: &Path, name: &str) -> Result<String> {
    let [secret, public] = ["secret", "public"].map(|kind| folder.join(format!("{name}.{kind}")));
    let mut command = nix.command("nix-store")?;
    command.args(["--generate-binary-cache-key", "touchstone-test-1"]);
    command.args([&secret, &public]);
    output(command)?;
    fs::read_to_string(&public).with_context(|| format!("reading {}", public.display()))
}

/// Copies a program to `folder/PROGRAM/bin/PROGRAM`, as Nix wants a package to be. The answer is the package.
///
/// # Errors
/// When the program cannot be copied.
pub fn package(folder: &Path, program: &Path) -> Result<PathBuf> {
    let name = program.file_name().context("a program without a name")?;
    let package = folder.join(name);
    add(&package, program)?;
    Ok(package)
}

/// The package `folder/touchstone` as it is shipped: the static program, the launcher of sealed generations, and the installer.
///
/// # Errors
/// When one of them is not built, or cannot be copied.
pub fn touchstone_package(inputs: &Inputs, folder: &Path) -> Result<PathBuf> {
    let package = folder.join("touchstone");
    for program in [&inputs.touchstone, &inputs.launcher, &inputs.installer] {
        let program = program.as_ref();
        let program =
            program.context("the static binaries are not built: run `cargo xtask setup`")?;
        add(&package, program)?;
    }
    Ok(package)
}

fn add(package: &Path, program: &Path) -> Result<()> {
    let name = program.file_name().context("a program without a name")?;
    fs::create_dir_all(package.join("bin"))?;
    fs::copy(program, package.join("bin").join(name))
        .with_context(|| format!("copying {}", program.display()))?;
    Ok(())
}
