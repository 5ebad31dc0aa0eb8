//! `cargo xtask demo`: the main job. Real Nix builds the boot artifacts of two generations and a specialisation; each boots on real
//! firmware under Secure Boot with a TPM; predicted and measured PCR values stand side by side.

use std::process::ExitCode;

use anyhow::{Result, bail};
use touchstone_harness::boot::{Firmware, Machine};
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
    println!(
        "\nchecked: {} boots, {compared} PCR values predicted before the first boot, {} equal, {differences} different",
        comparisons.len(),
        compared - differences
    );
    Ok(ExitCode::from(u8::from(differences > 0)))
}

/// Boots generation 2, its specialisation and generation 1, each with fresh firmware variables and a fresh TPM.
pub fn boots(
    inputs: &Inputs,
    generations: &Generations,
    secure_boot: bool,
) -> Result<Vec<Comparison>> {
    let root = inputs.trixie();
    let cases = [
        ("Generation 2", generations.generation2(), "", "2"),
        (
            "Generation 2, specialisation rescue",
            generations.generation2(),
            "specialisation/rescue",
            "2-rescue",
        ),
        ("Generation 1", generations.generation1(), "", "1"),
    ];
    let mut comparisons = Vec::new();
    for (name, artifacts, inner, generation) in cases {
        let stage = Stage::begin(format!("Booting {name}"));
        let machine = Machine::new(&root, Firmware::of_debian(root.path()));
        let uki = artifacts.join(inner).join("uki.efi");
        let boot = compare::machine(
            machine,
            artifacts,
            &uki,
            generations.variables(secure_boot)?,
        )
        .boot()?;
        if boot.report.generation.as_deref() != Some(generation) {
            bail!(
                "{name} was to boot, and the guest says it is {:?}",
                boot.report.generation
            );
        }
        let comparison = Comparison::of(name, artifacts, inner, &boot)?;
        stage.done("reached its end");
        comparisons.push(comparison);
    }
    Ok(comparisons)
}
