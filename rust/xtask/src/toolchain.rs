//! Cargo and what is built with it: the static binaries and the tools of the checks.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use touchstone_harness::cache;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;

/// The target of the static binaries.
const STATIC_TARGET: &str = "x86_64-unknown-linux-musl";

/// What is linked statically, by what is built together. The verifier of stage 1 is built alone: of what it shares with others it takes less.
const STATIC_PROGRAMS: [&[&str]; 2] = [
    &[
        "touchstone",
        "touchstone-launcher",
        "touchstone-install",
        "touchstone-pre-build-hook",
        "touchstone-probe",
    ],
    &["touchstone-stage1"],
];

/// The checkout's root folder.
pub fn checkout() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    here.map(Path::to_owned)
        .context("xtask is not where it was built")
}

/// The cargo that runs this program, in the checkout.
pub fn cargo() -> Result<Command> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(checkout()?);
    Ok(command)
}

/// What cargo knows about the workspace.
pub fn metadata() -> Result<cargo_metadata::Metadata> {
    let mut command = cargo_metadata::MetadataCommand::new();
    command.current_dir(checkout()?).no_deps();
    Ok(command.exec()?)
}

/// Runs a command that talks to the person; its failure is an error that names it.
pub fn run(mut command: Command) -> Result<()> {
    let name = command.get_program().display().to_string();
    let status = command
        .status()
        .with_context(|| format!("starting {name}"))?;
    if !status.success() {
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        bail!("`{name} {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}

/// The static binaries that the checks use.
pub struct StaticBinaries {
    /// The Nix builder and command line.
    pub touchstone: PathBuf,
    /// The launcher of sealed generations.
    pub launcher: PathBuf,
    /// The installer.
    pub installer: PathBuf,
    /// What Nix starts before each build.
    pub hook: PathBuf,
    /// The gate of a verified initrd, and the verifier of the closure.
    pub stage1: PathBuf,
    /// The guest of the boot checks.
    pub probe: PathBuf,
}

/// Builds the static binaries, with the target added by rustup where it is missing.
pub fn static_binaries() -> Result<StaticBinaries> {
    add_static_target()?;
    let stage = Stage::begin("Building the static binaries");
    for together in STATIC_PROGRAMS {
        let mut command = cargo()?;
        command.args(["build", "--quiet", "--locked", "--profile", "static"]);
        command.args(["--target", STATIC_TARGET]);
        for package in together {
            command.args(["--package", package]);
        }
        output(command)?;
    }
    stage.done("ready");
    let folder = metadata()?
        .target_directory
        .into_std_path_buf()
        .join(STATIC_TARGET)
        .join("static");
    Ok(StaticBinaries {
        touchstone: folder.join("touchstone"),
        launcher: folder.join("touchstone-launcher"),
        installer: folder.join("touchstone-install"),
        hook: folder.join("touchstone-pre-build-hook"),
        stage1: folder.join("touchstone-stage1"),
        probe: folder.join("touchstone-probe"),
    })
}

/// Builds the PKCS#11 module that stands for a faulty token. It is loaded by the dynamic program, and so it is a dynamic library.
pub fn faulty_token() -> Result<PathBuf> {
    let mut command = cargo()?;
    command.args(["build", "--quiet", "--locked"]);
    command.args(["--package", "touchstone-faulty-token"]);
    let stage = Stage::begin("Building the faulty token");
    output(command)?;
    stage.done("ready");
    let folder = metadata()?.target_directory.into_std_path_buf();
    Ok(folder.join("debug/libtouchstone_faulty_token.so"))
}

/// What C links with.
pub struct Library {
    /// The folder of `libtouchstone.so` and `libtouchstone.a`.
    pub folder: PathBuf,
    /// The shared library that panics when it is asked to.
    pub faulty: PathBuf,
}

/// Builds what C links with, without optimising, since the checks ask what it does and not how fast.
pub fn library() -> Result<Library> {
    let mut command = cargo()?;
    command.args(["build", "--quiet", "--locked"]);
    command.args(["--package", "touchstone-capi"]);
    command.args(["--package", "touchstone-faulty-library"]);
    let stage = Stage::begin("Building libtouchstone");
    output(command)?;
    stage.done("ready");
    let folder = metadata()?.target_directory.into_std_path_buf();
    let folder = folder.join("debug");
    Ok(Library {
        faulty: folder.join("libtouchstone_faulty_library.so"),
        folder,
    })
}

fn add_static_target() -> Result<()> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(checkout()?)
        .args(["--print", "target-libdir", "--target", STATIC_TARGET]);
    if Path::new(output(rustc)?.trim()).exists() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup
        .current_dir(checkout()?)
        .args(["target", "add", STATIC_TARGET]);
    match run(rustup) {
        Ok(()) => Ok(()),
        Err(error) => bail!(
            "the Rust target {STATIC_TARGET} is missing and could not be added ({error:#}): run `rustup target add {STATIC_TARGET}`"
        ),
    }
}

/// A cargo subcommand of crates.io: the one on `PATH`, else one built once into the cache.
pub fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
    {
        return Ok(found);
    }
    let folder = cache::location()?
        .join("tools")
        .join(format!("{name}-{version}"));
    let file = folder.join("bin").join(name);
    if !file.is_file() {
        let mut command = cargo()?;
        command.args([
            "install",
            "--quiet",
            "--locked",
            "--debug",
            "--version",
            version,
            "--root",
        ]);
        command.arg(&folder).arg(name);
        let stage = Stage::begin(format!("Building {name} {version}, once"));
        output(command)?;
        stage.done("ready");
    }
    Ok(file)
}
