//! The plugin of Nix is compiled and linked against the very Nix that loads it, so cargo runs in the root where that Nix was built: with
//! the Rust of this machine, offline, and with a target folder of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use touchstone_harness::nix::output;
use touchstone_harness::plugin_host::{PREFIX, PluginHost};

use crate::setup;
use crate::toolchain::{cargo, checkout, metadata, run as run_command};

/// Folders and files of cargo's home that are shown inside: what it fetched, and where it says that things come from.
const OF_CARGO: [&str; 4] = ["registry", "git", "config.toml", "config"];

/// What the root is of.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How it is compiled.
const PROFILE: &str = "plugin";

/// The feature of a plugin that fails when it is asked to.
pub const FAULTS: &str = "touchstone-nix/faults";

/// What is compiled: what Nix loads, and what that loads once it knows that it is the right Nix.
const PACKAGES: [&str; 4] = [
    "--package",
    "touchstone-nix-front",
    "--package",
    "touchstone-nix",
];

/// What cargo makes, and where it is in the package.
const FILES: [(&str, &str); 2] = [
    (
        "libtouchstone_nix.so",
        "lib/nix/plugins/libtouchstone-nix.so",
    ),
    (
        "libtouchstone_nix_inner.so",
        "lib/touchstone-nix/libtouchstone-nix-inner.so",
    ),
];

/// Where cargo's home is inside: writable, since cargo locks it, but for what is shown of this machine's.
const CARGO_HOME: &str = "/tmp/cargo";

/// Cargo in the root of the Nix that loads plugins.
pub struct PluginCargo {
    host: PluginHost,
    checkout: PathBuf,
    sysroot: PathBuf,
    target: PathBuf,
}

impl PluginCargo {
    /// Prepares it: what the workspace depends on is fetched here, since the root has no network.
    pub fn new(host: &PluginHost) -> Result<PluginCargo> {
        let mut fetch = cargo()?;
        fetch.args(["fetch", "--quiet", "--locked", "--target", TARGET]);
        run_command(fetch)?;
        let checkout = checkout()?;
        let mut rustc = Command::new("rustc");
        rustc.current_dir(&checkout).args(["--print", "sysroot"]);
        let target = metadata()?.target_directory.into_std_path_buf();
        // Cargo sees no difference between the headers of one Nix and those of another.
        let target = target.join("plugin").join(host.key());
        fs::create_dir_all(&target)?;
        Ok(PluginCargo {
            host: host.clone(),
            checkout,
            sysroot: output(rustc)?.trim().into(),
            target,
        })
    }

    /// Cargo, ready to take a subcommand.
    pub fn command(&self) -> Result<Command> {
        let visit = self.host.visit().show(&self.checkout).show(&self.sysroot);
        let home = home()?;
        let visit = OF_CARGO
            .iter()
            .filter(|name| home.join(name).exists())
            .fold(visit, |visit, name| {
                visit.show_at(home.join(name), Path::new(CARGO_HOME).join(name))
            });
        let visit = visit.bind(&self.target).folder(&self.checkout);
        let programs = self.sysroot.join("bin");
        let mut command = visit.command(programs.join("cargo"))?;
        let path = format!("{}:{}", programs.display(), touchstone_harness::enter::PATH);
        command
            .env("PATH", path)
            .env("CARGO_HOME", CARGO_HOME)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_TARGET_DIR", &self.target)
            .env("PKG_CONFIG_PATH", format!("{PREFIX}/lib/pkgconfig"));
        Ok(command)
    }

    /// A subcommand of it that concerns the plugin alone.
    pub fn of_plugin(&self, subcommand: &str) -> Result<Command> {
        let mut command = self.command()?;
        command.args([subcommand, "--quiet", "--locked", "--profile", PROFILE]);
        command.args(PACKAGES);
        Ok(command)
    }

    /// A subcommand of it for what of the plugin needs no Nix to run.
    pub fn of_rust_half(&self, subcommand: &str) -> Result<Command> {
        let mut command = self.command()?;
        command.args([subcommand, "--quiet", "--locked", "--profile", PROFILE]);
        command.args(["--package", "touchstone-nix", "--no-default-features"]);
        Ok(command)
    }

    /// Builds the plugin; the answer is a folder with its files as a package has them. `faulty` is one that tests make fail.
    pub fn build(&self, faulty: bool) -> Result<PathBuf> {
        let mut command = self.of_plugin("build")?;
        if faulty {
            command.args(["--features", FAULTS]);
        }
        output(command).context("building the plugin")?;
        let package = self.target.join(if faulty { "faulty" } else { "package" });
        for (built, place) in FILES {
            put(&self.target.join(PROFILE).join(built), &package.join(place))?;
        }
        Ok(package)
    }
}

/// Copies a file whole or not at all: a Nix may have loaded the one that is there.
fn put(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    let partial = to.with_extension(format!("{}.partial", std::process::id()));
    fs::copy(from, &partial).with_context(|| format!("copying {}", from.display()))?;
    fs::rename(&partial, to).with_context(|| format!("writing {}", to.display()))
}

/// Cargo's home on this machine.
fn home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}

/// `cargo xtask plugin`: any cargo command inside; none prepares the Nix alone.
pub fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let host = setup::plugin_host()?;
    if arguments.is_empty() {
        println!("{}", host.nix.display());
        return Ok(ExitCode::SUCCESS);
    }
    let cargo = PluginCargo::new(&host)?;
    let status = cargo.command()?.args(arguments).status();
    let code = status
        .context("starting unshare (package util-linux)")?
        .code();
    Ok(ExitCode::from(
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
    ))
}
