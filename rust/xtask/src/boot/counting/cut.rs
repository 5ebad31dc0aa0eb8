//! The power goes while a generation is installed.

use std::time::Duration;

use anyhow::{Result, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::boot::{Boot, Order, Prepared};
use touchstone_harness::progress::Stage;

use super::menu::Suite;
use crate::boot::Outcome;
use crate::boot::appliance::{Appliance, INSTALLER, Which, succeeded};

/// When it goes, in milliseconds after the installer was started.
const MOMENTS: [u64; 4] = [400, 1500, 3000, 6000];

/// Takes the power away from a machine that installs generation 3, and looks at what comes up then: generation 2, or 3 when it was there
/// whole. There the same is installed again, to its end.
///
/// # Errors
/// When a machine cannot be made or started.
pub fn claims(inputs: &Inputs, suite: Suite, outcome: &mut Outcome) -> Result<()> {
    let appliance = Appliance::build(inputs, suite.name, 2)?;
    let tree = appliance.make_root()?;
    appliance.copy(&tree, Which::Second)?;
    appliance.set_profile(&tree, 2, Which::Second)?;
    let esp = appliance.install(&tree, Which::Second)?;
    appliance.copy(&tree, Which::Third)?;
    appliance.set_profile(&tree, 3, Which::Third)?;
    for moment in MOMENTS {
        let mut machine = appliance.machine(&tree, esp.clone())?;
        let stage = Stage::begin(format!("Taking the power away after {moment} ms"));
        let install = Order::run(INSTALLER, &[appliance.toplevel(Which::Third)]);
        machine.order(&[Order::run(INSTALLER, &["bless"]), install]);
        machine.cut(1, Duration::from_millis(moment))?;
        let left = machine.esp_names("EFI/Linux")?.len();
        let boot = machine.boot_settled()?;
        stage.done(&format!("{left} entries were left"));
        let verdict = whole(&machine, &boot);
        let claim = format!(
            "systemd-boot {}: after a loss of power {moment} ms into an installation a generation boots, and installs to the end",
            suite.version
        );
        outcome.add(&claim, verdict);
    }
    Ok(())
}

fn whole(machine: &Prepared<'_>, boot: &Boot) -> Result<()> {
    boot.reached()?;
    let generation = boot.report.generation.as_deref();
    ensure!(
        matches!(generation, Some("2" | "3")),
        "generation {generation:?} came up"
    );
    succeeded(boot, 1)?;
    let names = machine.esp_names("EFI/Linux")?;
    let of = |start: &str| names.iter().filter(|name| name.starts_with(start)).count();
    let counts = [of("nixos-2-"), of("nixos-2--rescue-"), of("nixos-3-")];
    // The name of the specialisation begins as the generation's does.
    ensure!(
        counts == [2, 1, 1] && names.len() == 3,
        "on the ESP are {names:#?}"
    );
    Ok(())
}
