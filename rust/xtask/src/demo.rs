//! `cargo xtask demo`: the main job. Real Nix builds the boot artifacts of two generations and a specialisation, of which one generation
//! and the specialisation are sealed; each boots on real firmware under Secure Boot with a TPM; PCR values stand side by side as a build
//! predicted them, as the plugin predicted them while Nix evaluated, and as they were measured.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use touchstone_harness::boot::{Firmware, Machine};
use touchstone_harness::generations::Evaluated;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Flavour, Generations, Inputs};

use crate::compare::{self, Comparison};
use crate::{setup, toolchain};

/// Runs the demo; any difference is a failure.
pub fn run() -> Result<ExitCode> {
    let inputs = setup::generations()?;
    let folder = tempfile::tempdir()?;
    let stage =
        Stage::begin("Building two generations and a specialisation with Nix, in its sandbox");
    let generations = Generations::build(
        &inputs,
        &toolchain::checkout()?,
        folder.path(),
        &Flavour::default(),
    )?;
    stage.done("built");
    let comparisons = boots(&inputs, &generations, true)?;
    comparisons.iter().for_each(Comparison::print);
    let compared: usize = comparisons.iter().map(Comparison::compared).sum();
    let differences: usize = comparisons.iter().map(Comparison::differences).sum();
    let evaluated: usize = comparisons.iter().map(Comparison::evaluated).sum();
    println!(
        "\nchecked: {} boots, {compared} PCR values predicted before the first boot, {evaluated} of them also while Nix evaluated, {} equal, {differences} different",
        comparisons.len(),
        compared - differences
    );
    Ok(ExitCode::from(u8::from(differences > 0)))
}

/// Boots generation 2, its specialisation and generation 1, each with fresh firmware variables and a fresh TPM. The first two are sealed
/// and come from the store of a host that has no key.
pub fn boots(
    inputs: &Inputs,
    generations: &Generations,
    secure_boot: bool,
) -> Result<Vec<Comparison>> {
    let root = inputs.trixie();
    let mut comparisons = Vec::new();
    let evaluated = evaluated(inputs, generations)?;
    let [generation, rescue] = generations.sealed()?;
    for bootable in [generation, rescue, generations.generation1()?] {
        let name = bootable.name;
        let stage = Stage::begin(format!("Booting {name}"));
        let machine = Machine::new(&root, Firmware::of_debian(root.path()));
        let variables = generations.variables(secure_boot)?;
        let machine = compare::machine(machine, &bootable.loader, &bootable.uki, variables);
        let boot = machine.boot()?;
        if boot.report.generation.as_deref() != Some(bootable.generation) {
            bail!(
                "{name} was to boot, and the guest says it is {:?}",
                boot.report.generation
            );
        }
        let known = evaluated.predicted.get(bootable.generation);
        let known = known.with_context(|| format!("Nix evaluated no prediction of {name}"))?;
        let comparison = Comparison::of(name, &bootable.pcrs, &boot)?;
        let comparison = comparison.with_evaluated(&bootable.pcrs, known)?;
        stage.done("reached its end");
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// Predicts all of them while Nix evaluates, by the plugin.
fn evaluated(inputs: &Inputs, generations: &Generations) -> Result<Evaluated> {
    let stage = Stage::begin("Predicting the same while Nix evaluates, purely, by the plugin");
    let evaluated = generations.evaluated(inputs)?;
    if evaluated.door != "plugin" {
        bail!(
            "Nix has not loaded the plugin: values came from the {}",
            evaluated.door
        );
    }
    stage.done("predicted");
    Ok(evaluated)
}
