//! Generations with systemd in the initrd, and what of the root runs before stage 2.

use anyhow::{Context, Result, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::boot::Boot;
use touchstone_harness::progress::Stage;

use super::Outcome;

mod workshop;

use workshop::Verified;

/// What code of the root writes on the console, with its name behind it.
const RUNS: &str = "touchstone-root: code of the root runs: ";

/// Boots a generation whose initrd is systemd's.
pub fn claims(inputs: &Inputs, outcome: &mut Outcome) -> Result<()> {
    let verified = Verified::new(inputs)?;
    let generations = verified.build(&["unverified"])?;
    let generation = generations.first().context("nothing was built")?;
    let root = verified.root(&[&generation.toplevel])?;
    let stage = Stage::begin("Booting a generation with systemd in its initrd");
    let boot = verified.machine(generation, &root)?.boot()?;
    boot.reached()?;
    stage.done(&format!("{:?}", boot.report.uptime));
    let verdict = ran(&boot, &["prepare-root", "init"]);
    outcome.add(
        "systemd in an initrd activates the system and switches to it",
        verdict,
    );
    Ok(())
}

/// Whether of the root these ran, in this order.
fn ran(boot: &Boot, expected: &[&str]) -> Result<()> {
    let lines = boot.serial.lines();
    let names: Vec<&str> = lines.filter_map(|line| line.strip_prefix(RUNS)).collect();
    ensure!(names == expected, "of the root ran {names:?}");
    Ok(())
}
