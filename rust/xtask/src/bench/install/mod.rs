//! The installer: 1, 10 and 100 generations installed and installed again unchanged, beside nixpkgs' installer where somebody has it.

mod installers;
mod machine;

use std::path::Path;

use anyhow::{Result, bail};
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Root, Trace, Usage};

use super::contest::median;
use super::files::working_folder;
use installers::Installer;
use machine::{INITRD_LASTS, KERNEL_LASTS, KERNEL_MIB, Machine};

/// MiB of an initrd, as a NixOS has it.
const INITRD_MIB: u64 = 24;
/// MiB of the initrd of the machines that are booted in checks.
const SMALL_INITRD_MIB: u64 = 1;
/// Numbers of generations, each with a specialisation, and MiB of their initrds.
const MACHINES: [(usize, u64); 4] = [
    (1, INITRD_MIB),
    (10, INITRD_MIB),
    (100, INITRD_MIB),
    (100, SMALL_INITRD_MIB),
];
/// At most this of processor time, in milliseconds, for a run that changes nothing.
const UNCHANGED_MS: f64 = 30.0;
/// At most so many rounds where the partition is filled.
const FULL_ROUNDS: usize = 3;

/// What an installer took for one kind of run.
struct Measured {
    usage: Usage,
    trace: Trace,
}

/// Runs all; the answer is what was not reached.
///
/// # Errors
/// When an installer fails.
pub fn run(
    inputs: &Inputs,
    folder: Option<&Path>,
    rounds: usize,
    peer: Option<&Path>,
) -> Result<Vec<String>> {
    let folder = working_folder(folder)?;
    let mut installers = vec![Installer::ours(inputs, folder.path())?];
    if let Some(script) = peer {
        installers.push(Installer::peer(script, folder.path())?);
    }
    let mut missed = Vec::new();
    for (generations, initrd_mib) in MACHINES {
        let place = folder.path().join(format!("machine-{generations}"));
        let machine = Machine::new(place, generations, initrd_mib)?;
        println!(
            "Installing {generations} generations with a specialisation each: {} kernels of {KERNEL_MIB} MiB, {} initrds of {initrd_mib} MiB:",
            generations.div_ceil(KERNEL_LASTS),
            generations.div_ceil(INITRD_LASTS),
        );
        for installer in &installers {
            let work = format!("{} {generations}", installer.name());
            let stage = Stage::begin(work.clone());
            let first = full(
                installer,
                &inputs.trixie(),
                &machine,
                rounds.min(FULL_ROUNDS),
            )?;
            let again = unchanged(installer, &inputs.trixie(), &machine, rounds)?;
            if machine.entries()? < 2 * generations {
                bail!("{work}: entries are missing, its times mean nothing");
            }
            stage.done("measured");
            print(installer, "onto an empty partition", &first);
            print(installer, "again, unchanged", &again);
            if matches!(installer, Installer::Ours(_)) {
                missed.extend(wanted(generations, initrd_mib, &again));
            }
        }
        std::fs::remove_dir_all(machine.root())?;
    }
    Ok(missed)
}

/// Onto an empty partition.
fn full(installer: &Installer, root: &Root, machine: &Machine, rounds: usize) -> Result<Measured> {
    let mut usages = Vec::new();
    for _ in 0..rounds {
        machine.empty()?;
        usages.push(installer.run(root, machine)?);
    }
    machine.empty()?;
    let trace = installer.trace(root, machine)?;
    Ok(Measured {
        usage: median(&usages),
        trace,
    })
}

/// Onto what the same installer made. The first round fills caches and does not count.
fn unchanged(
    installer: &Installer,
    root: &Root,
    machine: &Machine,
    rounds: usize,
) -> Result<Measured> {
    installer.run(root, machine)?;
    let runs: Result<Vec<Usage>> = (0..rounds).map(|_| installer.run(root, machine)).collect();
    Ok(Measured {
        usage: median(&runs?),
        trace: installer.trace(root, machine)?,
    })
}

fn print(installer: &Installer, what: &str, measured: &Measured) {
    let Measured { usage, trace } = measured;
    let changing: u64 = trace.changing.values().sum();
    println!(
        "  {:<24} {what:<24} {:>9.1} ms {:>9.1} ms of processor {:>6.1} MiB {:>8} system calls, {changing} that change files; {} programs",
        installer.name(),
        usage.seconds * 1000.0,
        usage.processor_seconds * 1000.0,
        usage.peak_memory as f64 / f64::from(1 << 20),
        trace.count(),
        trace.executed.len(),
    );
}

/// What an unchanged run did not reach.
fn wanted(generations: usize, initrd_mib: u64, again: &Measured) -> Vec<String> {
    let mut missed = Vec::new();
    let processor = again.usage.processor_seconds * 1000.0;
    if processor >= UNCHANGED_MS {
        missed.push(format!(
            "{generations} generations unchanged, initrds of {initrd_mib} MiB: {processor:.1} ms of processor (wanted: under {UNCHANGED_MS})"
        ));
    }
    if !again.trace.changing.is_empty() {
        missed.push(format!(
            "{generations} generations unchanged: files are changed: {:?}",
            again.trace.changing
        ));
    }
    if again.trace.executed.len() != 1 {
        missed.push(format!("programs are started: {:?}", again.trace.executed));
    }
    missed
}
