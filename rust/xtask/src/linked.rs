//! Cargo with every feature of the program: the crate `tpm` links with tpm2-tss, which is taken from the cache.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use touchstone_harness::cache::{self, Cache};
use touchstone_harness::setup::Setup;
use touchstone_harness::tss2::Tss2;
use touchstone_harness::{enter, inputs};

use crate::toolchain::cargo;

/// What the checks look at on this machine: every crate, with all that the dynamic program can do. The two of the plugin need a C++
/// compiler and the headers of Nix, and are looked at where those are ([`crate::plugin`]).
pub const WORKSPACE: [&str; 8] = [
    "--workspace",
    "--exclude",
    "touchstone-nix-front",
    "--exclude",
    "touchstone-nix",
    "--no-default-features",
    "--features",
    "touchstone/token,touchstone/tpm,touchstone-store/json,touchstone-tpm/device",
];

/// tpm2-tss, fetched once.
pub fn tss2() -> Result<Tss2> {
    Setup::new(&Cache::open()?, false).tss2()
}

/// Lets cargo, or a program that runs it, link with tpm2-tss and start what is linked. It comes behind the subcommand, since cargo
/// hands its own options on to no other program.
pub fn link(command: &mut Command, tss2: &Tss2) -> Result<()> {
    command
        .arg("--config")
        .arg(tss2.configuration())
        .env("LD_LIBRARY_PATH", tss2.library_path()?);
    Ok(())
}

/// The index of what `cargo xtask setup` prepared.
pub fn index() -> Result<PathBuf> {
    Ok(cache::location()?.join("inputs.json"))
}

/// What tests are told about the outside world.
pub fn tell_tests(command: &mut Command) -> Result<()> {
    command
        .env(inputs::VARIABLE, index()?)
        .env(enter::XTASK_VARIABLE, enter::entering_binary()?);
    Ok(())
}

/// `cargo xtask cargo`: any cargo command as the checks run theirs.
pub fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let mut words = arguments.into_iter();
    let mut command = cargo()?;
    let subcommand = words.next().context(
        "which cargo command? For instance: cargo xtask cargo -- test -p touchstone-tpm",
    )?;
    let nested = subcommand == "nextest";
    command.arg(subcommand);
    if nested {
        command.args(words.next());
    }
    link(&mut command, &tss2()?)?;
    tell_tests(&mut command)?;
    let status = command.args(words).status().context("starting cargo")?;
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
