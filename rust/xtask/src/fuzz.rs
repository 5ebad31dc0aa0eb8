//! `cargo xtask fuzz`: the fuzz targets of `checks/fuzz`, with libFuzzer and the pinned compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use touchstone_harness::cache;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;

use crate::libfuzzer;
use crate::stages::Findings;
use crate::toolchain::{cargo, checkout, metadata};

/// libFuzzer is given its coverage by LLVM's own pass: these are what `cargo fuzz` sets, without a sanitizer.
const INSTRUMENTATION: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cforce-frame-pointers=yes",
    "--cfg",
    "fuzzing",
];

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How far one target is driven.
#[derive(Clone, Copy)]
pub enum Length {
    /// The same inputs every time, as long as they take less than the seconds that are the bound.
    Short,
    /// This many inputs, from another seed every time.
    Runs(u32),
    /// For this many seconds, from another seed every time.
    Seconds(u32),
}

impl Length {
    /// libFuzzer's options.
    fn options(self) -> Vec<String> {
        match self {
            Length::Short => ["-seed=1", "-runs=20000", "-max_total_time=15"]
                .map(str::to_owned)
                .to_vec(),
            Length::Runs(runs) => vec![format!("-runs={runs}")],
            Length::Seconds(seconds) => vec![format!("-max_total_time={seconds}")],
        }
    }
}

/// A short run of every target, as part of `cargo xtask test`: seeds first, then the same mutations every time.
pub fn short() -> Result<Findings> {
    let (folder, targets) = build()?;
    let mut failed = 0;
    for target in &targets {
        let scratch = tempfile::tempdir()?;
        if let Err(error) = drive(&folder, target, scratch.path(), Length::Short) {
            eprintln!("error: {error:#}");
            failed += 1;
        }
    }
    let what = format!("{} targets, 20000 inputs each at most", targets.len());
    Ok(Findings {
        passed: targets.len() - failed,
        failed,
        what,
    })
}

/// A run of some targets, or of all, that keeps what it finds. Each is run, whatever breaks.
pub fn long(wanted: &[String], length: Length) -> Result<()> {
    let (folder, targets) = build()?;
    if let Some(unknown) = wanted.iter().find(|name| !targets.contains(name)) {
        bail!(
            "there is no fuzz target {unknown}; there are: {}",
            targets.join(", ")
        );
    }
    let chosen = if wanted.is_empty() { &targets } else { wanted };
    let mut total = 0;
    let mut broken = Vec::new();
    for target in chosen {
        let kept = cache::location()?.join("fuzz").join(target);
        fs::create_dir_all(&kept)?;
        match drive(&folder, target, &kept, length) {
            Ok(inputs) => total += inputs,
            Err(error) => {
                eprintln!("error: {error:#}");
                broken.push(target.as_str());
            }
        }
    }
    println!("{total} inputs, {} targets", chosen.len());
    if !broken.is_empty() {
        bail!(
            "broken: {}; their inputs are not counted",
            broken.join(", ")
        );
    }
    Ok(())
}

/// Builds all targets; the answer is where they are and their names.
fn build() -> Result<(PathBuf, Vec<String>)> {
    let manifest = checkout()?.join("checks/fuzz/Cargo.toml");
    let targets = names(&manifest)?;
    let target_folder = metadata()?
        .target_directory
        .into_std_path_buf()
        .join("fuzz");
    let mut command = cargo()?;
    command
        .args([
            "build",
            "--quiet",
            "--release",
            "--target",
            TARGET,
            "--manifest-path",
        ])
        .arg(&manifest);
    command
        .arg("--target-dir")
        .arg(&target_folder)
        .env("RUSTFLAGS", INSTRUMENTATION.join(" "))
        .envs(libfuzzer::variables(&manifest)?);
    let stage = Stage::begin("Building the fuzz targets");
    output(command)?;
    stage.done(&targets.join(", "));
    Ok((target_folder.join(TARGET).join("release"), targets))
}

/// The targets that the manifest declares; a file that it does not declare is an error, for it would never run.
fn names(manifest: &Path) -> Result<Vec<String>> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()?;
    let declared = metadata
        .packages
        .iter()
        .flat_map(|package| &package.targets)
        .filter(|target| target.is_bin());
    let names: Vec<String> = declared.map(|target| target.name.clone()).collect();
    for entry in fs::read_dir(manifest.with_file_name("fuzz_targets"))? {
        let path = entry?.path();
        let declared = path
            .file_stem()
            .is_some_and(|stem| names.iter().any(|name| stem == name.as_str()));
        if !declared {
            bail!("{} is no [[bin]] of {}", path.display(), manifest.display());
        }
    }
    Ok(names)
}

/// Drives one target from its seeds; `found` takes what it finds on the way. The answer is how many inputs it was given.
fn drive(folder: &Path, target: &str, found: &Path, length: Length) -> Result<u64> {
    let seeds = checkout()?.join("checks/fuzz/corpus").join(target);
    if !seeds.is_dir() {
        bail!(
            "the fuzz target {target} has no seeds in {}",
            seeds.display()
        );
    }
    let breaking = cache::location()?.join("fuzz/breaking").join(target);
    fs::create_dir_all(&breaking)?;
    let mut command = Command::new(folder.join(target));
    command.args(length.options());
    command.args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"]);
    command
        .arg(format!("-artifact_prefix={}/", breaking.display()))
        .arg(found)
        .arg(seeds);
    let stage = Stage::begin(format!("Fuzzing {target}"));
    let run = command
        .output()
        .with_context(|| format!("starting {target}"))?;
    let said = String::from_utf8_lossy(&run.stderr);
    if !run.status.success() {
        let end: Vec<&str> = said.lines().rev().take(30).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        bail!(
            "{target} broke; the input is in {}:\n{}",
            breaking.display(),
            end.join("\n")
        );
    }
    let inputs = said
        .lines()
        .find_map(|line| {
            line.strip_prefix("stat::number_of_executed_units:")?
                .trim()
                .parse()
                .ok()
        })
        .with_context(|| format!("{target} did not say how many inputs it was given"))?;
    stage.done(&format!("{inputs} inputs"));
    Ok(inputs)
}
