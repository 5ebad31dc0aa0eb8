//! Stage 1's verification of a closure, beside Nix', sha256sum and a plain read of the same files, cold and warm.

mod race;
mod store;

use std::path::Path;
use std::thread::available_parallelism;

use anyhow::Result;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Usage};

use super::contest::median;
use race::{Race, Who};
use store::Store;

/// Cold, at least so many times as fast as Nix.
const TIMES_NIX: f64 = 2.0;
/// Warm, at most this part of what a program takes that opens, reads and hashes the same files, and does nothing else.
const OF_THE_LEAST: f64 = 1.15;
/// At most this of memory, in MiB.
const PEAK_MIB: f64 = 24.0;

/// Runs all; the answer is what was not reached.
///
/// # Errors
/// When a contestant fails, or the kernel does not forget.
pub fn run(inputs: &Inputs, folder: Option<&Path>, rounds: usize) -> Result<Vec<String>> {
    let folder = match folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        // Not in memory: the disk is what is measured.
        None => tempfile::tempdir_in("/var/tmp")?,
    };
    let stage = Stage::begin("Having Nix make a closure");
    let processors = available_parallelism()?.get();
    let store = Store::make(inputs, folder.path(), processors)?;
    stage.done(&format!(
        "{} paths, {} files, {} MiB",
        store.paths,
        store.files,
        store.bytes >> 20
    ));
    let race = Race::new(inputs, &store, folder.path())?;
    println!(
        "{} paths, {} files, {:.2} GiB of NAR, {} processors, median of {rounds}:",
        store.paths,
        store.files,
        store.bytes as f64 / f64::from(1 << 30),
        processors
    );
    let cold = turns(&race, &Who::COLD, rounds, true)?;
    let warm = turns(&race, &Who::WARM, rounds, false)?;
    Ok(verdict(&cold, &warm))
}

/// What was not reached.
fn verdict(cold: &[(Who, Usage)], warm: &[(Who, Usage)]) -> Vec<String> {
    let of = |usages: &[(Who, Usage)], who| {
        let found = usages.iter().find(|(whose, _)| *whose == who);
        found.map_or(Usage::default(), |(_, usage)| *usage)
    };
    let times = of(cold, Who::Nix).seconds / of(cold, Who::Ours).seconds;
    let part = of(warm, Who::Ours).seconds / of(warm, Who::HashFiles).seconds;
    let alone = of(warm, Who::Ours).seconds / of(warm, Who::HashOnly).seconds;
    let peak = [cold, warm].map(|usages| of(usages, Who::Ours).peak_memory);
    let peak = peak.into_iter().max().unwrap_or(0) as f64 / f64::from(1 << 20);
    println!("  cold: {times:.1} times as fast as Nix (wanted: {TIMES_NIX})");
    println!(
        "  warm: {part:.2} of the least for these files (at most {OF_THE_LEAST}), {alone:.2} of SHA-256 alone"
    );
    println!("  peak: {peak:.1} MiB (under {PEAK_MIB})");
    let judged = [
        (
            times >= TIMES_NIX,
            format!("cold {times:.1} times as fast as Nix"),
        ),
        (part <= OF_THE_LEAST, format!("warm {part:.2} of the least")),
        (peak < PEAK_MIB, format!("a peak of {peak:.1} MiB")),
    ];
    let missed = judged.into_iter().filter(|(reached, _)| !reached);
    missed.map(|(_, what)| what).collect()
}

/// The medians of some rounds, in which all take turns.
fn turns(race: &Race<'_>, all: &[Who], rounds: usize, cold: bool) -> Result<Vec<(Who, Usage)>> {
    let mut usages = vec![Vec::new(); all.len()];
    // The first round fills caches and does not count.
    for round in 0..=rounds {
        for (who, usages) in all.iter().zip(&mut usages) {
            if cold {
                race.forget(*who)?;
            }
            let usage = race.run(*who)?;
            if round > 0 {
                usages.push(usage);
            }
        }
    }
    let medians = usages.iter().map(|usages| median(usages));
    let medians: Vec<_> = all.iter().copied().zip(medians).collect();
    println!("  {}:", if cold { "cold" } else { "warm" });
    for (who, usage) in &medians {
        println!(
            "    {:<36} {:>8.1} ms {:>8.1} ms of processor {:>7.1} MiB",
            who.name(),
            usage.seconds * 1000.0,
            usage.processor_seconds * 1000.0,
            usage.peak_memory as f64 / f64::from(1 << 20)
        );
    }
    Ok(medians)
}
