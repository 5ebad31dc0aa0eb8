//! The programs of a generation that activate it, as far as the checks need them: `switch-to-configuration` and what it calls.
//!
//! Which variables it needs, that its commands are split at spaces, and when it calls which is as in nixpkgs' switch-to-configuration-ng.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;

/// What the program is called when it is to switch; the first one behind a wrapper.
const SWITCH: [&str; 2] = [
    ".switch-to-configuration-wrapped",
    "switch-to-configuration",
];
/// The same when it is to write down how it was called.
const RECORDERS: [&str; 2] = ["install-boot-loader", "pre-switch-check"];
/// Variables without which it does not switch.
const NEEDED: [&str; 6] = [
    "OUT",
    "TOPLEVEL",
    "DISTRO_ID",
    "PRE_SWITCH_CHECK",
    "INSTALL_BOOTLOADER",
    "SYSTEMD",
];

/// Attributes of `mode = "recorders"`.
#[derive(Deserialize)]
pub struct Attributes {
    /// This program.
    program: PathBuf,
}

/// Writes the folder `<out>` with `bin/<name>` for each of the [`RECORDERS`].
pub fn build(attributes: &Attributes, out: &Path) -> Result<()> {
    let programs = out.join("bin");
    fs::create_dir_all(&programs).with_context(|| programs.display().to_string())?;
    for name in RECORDERS {
        let link = programs.join(name);
        symlink(&attributes.program, &link).with_context(|| link.display().to_string())?;
    }
    Ok(())
}

/// A program that does what its name says; none for other names.
pub fn by_name(name: &OsStr) -> Option<fn(&[OsString]) -> ExitCode> {
    let name = Path::new(name).file_name()?.to_str()?;
    if SWITCH.contains(&name) {
        return Some(|arguments| ended(switch(arguments)));
    }
    RECORDERS
        .contains(&name)
        .then_some(|arguments| ended(record(arguments)))
}

/// The exit status of a program that came to this; an error is told.
pub fn ended(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("touchstone-probe: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Checks, and for `switch` and `boot` installs the boot loader: each a command with the toplevel behind it.
fn switch(arguments: &[OsString]) -> Result<()> {
    let [_, action] = arguments else {
        bail!("usage: switch-to-configuration check|switch|boot|test|dry-activate")
    };
    let action = action.to_str().unwrap_or_default();
    let known = ["check", "switch", "boot", "test", "dry-activate"];
    ensure!(known.contains(&action), "invalid action {action}");
    for name in NEEDED {
        needed(name)?;
    }
    let toplevel = needed("TOPLEVEL")?;
    call(&needed("PRE_SWITCH_CHECK")?, &[&toplevel, action])?;
    if matches!(action, "switch" | "boot") {
        call(&needed("INSTALL_BOOTLOADER")?, &[&toplevel])?;
    }
    Ok(())
}

fn needed(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("missing required environment variable ${name}"))
}

fn call(command: &str, arguments: &[&str]) -> Result<()> {
    let mut words = command.split_whitespace();
    let program = words.next().context("an empty command")?;
    let status = Command::new(program).args(words).args(arguments).status();
    let status = status.with_context(|| program.to_owned())?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
}

/// Prints one line: how it was called, and with which variables.
fn record(arguments: &[OsString]) -> Result<()> {
    let text = |text: &OsString| text.to_string_lossy().into_owned();
    let (program, arguments) = arguments.split_first().context("called without a name")?;
    let name = Path::new(program).file_name().context("no name")?;
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let arguments: Vec<String> = arguments.iter().map(text).collect();
    println!(
        "{}",
        json!({ "called": name.to_string_lossy(), "arguments": arguments, "environment": environment })
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_to_do_wherever_the_program_lies() {
        for name in [
            "switch-to-configuration",
            "/nix/store/x/bin/.switch-to-configuration-wrapped",
            "bin/install-boot-loader",
            "pre-switch-check",
        ] {
            assert!(by_name(OsStr::new(name)).is_some(), "{name}");
        }
        for name in ["", "touchstone-probe", "/init"] {
            assert!(by_name(OsStr::new(name)).is_none(), "{name}");
        }
    }

    #[test]
    fn the_recorders_are_links_to_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let program = PathBuf::from("/the/program");
        build(
            &Attributes {
                program: program.clone(),
            },
            &out,
        )
        .unwrap();
        for name in RECORDERS {
            assert_eq!(fs::read_link(out.join("bin").join(name)).unwrap(), program);
        }
    }
}
