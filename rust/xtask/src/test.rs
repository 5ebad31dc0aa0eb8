//! `cargo xtask test`: every check, in the order in which a mistake is cheapest to find.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use touchstone_harness::Inputs;

use crate::linked::WORKSPACE;
use crate::plugin::{FAULTS, PluginCargo};
use crate::stages::{Findings, Stages};
use crate::toolchain::{cargo, checkout, metadata, run, tool};
use crate::{boot, format, fuzz, linked, order, setup};

/// Runs the checks; `quick` leaves out licences, fuzzing and whole-machine boots.
pub fn test(quick: bool) -> Result<()> {
    let mut stages = Stages::default();
    stages.run("form of Rust", || {
        format::check_rust().map(|()| Findings::one("rustfmt"))
    });
    stages.run("form of Nix", || {
        Ok(Findings::one(format!(
            "nixpkgs-fmt, {} files",
            format::check_nix()?
        )))
    });
    stages.run("order of the wings", || {
        let metadata = metadata()?;
        order::check(&metadata)?;
        Ok(Findings::one(format!("{} crates", metadata.packages.len())))
    });
    stages.run("lints", || {
        clippy().map(|()| Findings::one("clippy, all targets, no warning"))
    });
    stages.run("documentation", || {
        rustdoc().map(|()| Findings::one("rustdoc, no warning"))
    });
    if !quick {
        stages.run("licences", || {
            deny().map(|()| Findings::one("cargo-deny: licences, bans"))
        });
    }
    let mut prepared = None;
    let ready = stages.run("set-up", || {
        let inputs = setup::run(setup::Wish::default())?;
        let sid = if inputs.roots.sid.is_some() {
            "trixie and sid"
        } else {
            "trixie alone: sid was not available"
        };
        prepared = Some(inputs);
        Ok(Findings::one(sid))
    });
    if let (true, Some(inputs)) = (ready, prepared) {
        stages.run("plugin", || {
            plugin(&inputs)?;
            Ok(Findings::one(
                "clippy and rustdoc where Nix' headers are, tests of the Rust half",
            ))
        });
        stages.run("tests", || tests(quick));
        if !quick {
            stages.run("boots", || boots(&inputs));
        }
    }
    if quick {
        stages.leave_out("licences, boots, fuzzing");
    } else {
        stages.run("fuzzing", fuzz::short);
    }
    stages.finish()
}

fn clippy() -> Result<()> {
    let mut command = cargo()?;
    command.args(["clippy", "--quiet", "--locked", "--all-targets"]);
    command.args(WORKSPACE);
    linked::link(&mut command, &linked::tss2()?)?;
    command.args(["--", "-D", "warnings"]);
    run(command)
}

fn rustdoc() -> Result<()> {
    let mut command = cargo()?;
    command.args(["doc", "--quiet", "--locked", "--no-deps"]);
    command.args(WORKSPACE).env("RUSTDOCFLAGS", "-D warnings");
    linked::link(&mut command, &linked::tss2()?)?;
    run(command)?;
    // The library that C links with has the name of the command line, and so would its pages.
    let mut command = cargo()?;
    command.args(["rustdoc", "--quiet", "--locked", "--lib"]);
    command.args(["--package", "touchstone-capi", "--", "-D", "warnings"]);
    run(command)
}

/// What was left out before, since it is compiled where the Nix that loads it was built.
fn plugin(inputs: &Inputs) -> Result<()> {
    let host = inputs.plugin_host.as_ref();
    let cargo = PluginCargo::new(host.context("no Nix that loads plugins")?)?;
    let mut clippy = cargo.of_plugin("clippy")?;
    clippy.args(["--all-targets", "--features", FAULTS]);
    clippy.args(["--", "-D", "warnings"]);
    run(clippy)?;
    let mut rustdoc = cargo.of_plugin("doc")?;
    rustdoc.arg("--no-deps").env("RUSTDOCFLAGS", "-D warnings");
    run(rustdoc)?;
    // Only Nix itself can start what its C++ half is linked into.
    run(cargo.of_rust_half("test")?)
}

/// The workspace, and the fuzz targets, which are one of their own.
fn deny() -> Result<()> {
    let program = tool("cargo-deny", "0.20.2")?;
    for manifest in ["Cargo.toml", "checks/fuzz/Cargo.toml"] {
        let mut command = Command::new(&program);
        command
            .current_dir(checkout()?)
            .args(["--log-level", "error", "--config", "deny.toml"])
            .args(["--manifest-path", manifest, "check", "licenses", "bans"]);
        run(command)?;
    }
    Ok(())
}

/// The claims that only real firmware can show.
fn boots(inputs: &Inputs) -> Result<Findings> {
    let outcome = boot::run(inputs, &boot::Wish::default());
    Ok(Findings {
        passed: outcome.passed,
        failed: outcome.failed.len(),
        what: "OVMF, shim, TPM: verdicts as ours, keys enrolled, predicted PCRs measured, tries counted"
            .to_owned(),
    })
}

/// The tests of all crates, with what they need of the outside world.
/// Tests named `boots_…` start whole machines: a quick run leaves them out.
fn tests(quick: bool) -> Result<Findings> {
    let nextest = tool("cargo-nextest", "0.9.151")?;
    let mut command = Command::new(nextest);
    command
        .current_dir(checkout()?)
        .args(["nextest", "run", "--locked", "--no-fail-fast"]);
    if quick {
        command.args(["--filterset", "not test(/(^|::)boots_/)"]);
    }
    command.args(WORKSPACE);
    linked::link(&mut command, &linked::tss2()?)?;
    linked::tell_tests(&mut command)?;
    // nextest tells its findings on standard error: it is shown as it comes and read for the last line.
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .context("starting cargo-nextest")?;
    let mut summary = None;
    if let Some(pipe) = child.stderr.take() {
        for line in std::io::BufRead::lines(std::io::BufReader::new(pipe)) {
            let line = line?;
            eprintln!("{line}");
            summary = summary_of(&line).or(summary);
        }
    }
    let status = child.wait()?;
    let (passed, failed) =
        summary.with_context(|| format!("cargo-nextest ended with {status} and no summary"))?;
    let failed = if status.success() {
        failed
    } else {
        failed.max(1)
    };
    Ok(Findings {
        passed,
        failed,
        what: format!("{} tests", passed + failed),
    })
}

/// The numbers of nextest's line `Summary [ 1.2s] 25 tests run: 23 passed, 2 failed, 0 skipped`.
fn summary_of(line: &str) -> Option<(usize, usize)> {
    let counts = line
        .trim_start()
        .strip_prefix("Summary ")?
        .split_once("run:")?
        .1;
    let count = |word: &str| -> usize {
        let part = counts
            .split(',')
            .find(|part| part.trim_end().ends_with(word) || part.contains(&format!(" {word} ")));
        part.and_then(|part| part.split_whitespace().next()?.parse().ok())
            .unwrap_or(0)
    };
    Some((count("passed"), count("failed") + count("timed out")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_numbers_of_a_test_run() {
        let line = "     Summary [   0.067s] 25 tests run: 23 passed (1 slow), 2 failed, 4 skipped";
        assert_eq!(summary_of(line), Some((23, 2)));
        assert_eq!(summary_of("        PASS [   0.005s] a"), None);
    }
}
