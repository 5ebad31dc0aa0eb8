//! The line that systemd 262 draws in the initrd: its own unit's command, in a real boot.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Root, guest};
use touchstone_measure::policy::PcrPolicy;
use touchstone_measure::{Bank, Digest};

use super::bench::{Asked, Bench};
use super::generation::Generation;
use super::user_space::{self, END};
use crate::boot::Outcome;

const UNIT: &str = "usr/lib/systemd/system/systemd-pcrosseparator.service";
/// What each of the lines with a register begins with.
const LINE: &str = "register ";
/// The moment behind the line.
const BEHIND: &str = "enter-initrd";

/// Boots an initrd with systemd 262's tools; a policy for each side of the line admits that side alone.
pub fn claims(bench: &Bench<'_>, outcome: &mut Outcome) -> Result<()> {
    let Some(root) = bench.inputs.sid() else {
        println!("  left out: sid does not answer");
        return Ok(());
    };
    let uki = uki(bench, &root)?;
    let policies = [policy(bench, &uki, "")?, policy(bench, &uki, BEHIND)?];
    let stage = Stage::begin("Booting the initrd of systemd 262");
    let boot = bench.machine(&uki)?.last_line(END).boot()?;
    boot.reached()?;
    stage.done("reached its end");
    for (side, moment) in ["before", "behind"].into_iter().enumerate() {
        let values = registers(&boot.serial, moment)?;
        let admitting = policies
            .iter()
            .map(|policy| policy.admits(&values).is_some());
        let admitting: Vec<bool> = admitting.collect();
        let claim =
            format!("a policy {moment} the line that systemd 262 draws admits that moment alone");
        let verdict = if admitting == [side == 0, side == 1] {
            Ok(())
        } else {
            Err(anyhow!("what policies admit: {admitting:?}; {values:?}"))
        };
        outcome.add(&claim, verdict);
    }
    Ok(())
}

/// A signed UKI with the stub of systemd 262 and an initrd of its tools.
fn uki(bench: &Bench<'_>, root: &Root) -> Result<PathBuf> {
    let (initrd, uki) = (bench.path("separator.initrd"), bench.path("separator.efi"));
    let content = user_space::initrd(bench, root, &script(root)?, &[])?;
    fs::write(&initrd, content)?;
    let build = guest::uki_with_stub(bench.inputs, "sid")?;
    let mut build = bench.signed(build, Generation::plain(1), &initrd);
    build.arg("--output").arg(&uki);
    output(build)?;
    Ok(uki)
}

/// The policy for this moment of a machine that draws the line.
fn policy(bench: &Bench<'_>, uki: &Path, phase: &str) -> Result<PcrPolicy> {
    let asked = Asked {
        os_separator: true,
        ..Asked::at(phase)
    };
    let ukis = [("systemd 262".to_owned(), uki.to_owned())];
    let predicted = bench.predict_ukis("systemd 262", &ukis, &asked)?;
    bench.policy(&[predicted])
}

/// Shows the registers, begins the initrd's phase, draws the line as the unit does, and shows them again.
fn script(root: &Root) -> Result<String> {
    let unit = fs::read_to_string(root.path().join(UNIT)).context(UNIT)?;
    let unit = unit.replace("\\\n", " ");
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let start = start.with_context(|| format!("{UNIT} starts nothing"))?;
    let command = start.trim_start_matches("/usr/lib/systemd/");
    Ok(format!(
        "show() {{ for pcr in 7 11 12 13; do echo \"{LINE}$1 $pcr $(</sys/class/tpm/tpm0/pcr-sha256/$pcr)\"; done; }}
show before
systemd-pcrextend {BEHIND}
{command}
show behind
"
    ))
}

/// The registers that were shown at this moment.
fn registers(serial: &str, moment: &str) -> Result<BTreeMap<u32, Digest>> {
    let lines = serial.lines().filter_map(|line| {
        let words = line.strip_prefix(LINE)?.strip_prefix(moment)?;
        words.trim().split_once(' ')
    });
    let values = lines.map(|(pcr, value)| {
        let value: Digest = value.trim().to_ascii_lowercase().parse()?;
        ensure!(value.bank() == Bank::Sha256, "{value} is of another bank");
        Ok((pcr.parse()?, value))
    });
    let values: BTreeMap<u32, Digest> = values.collect::<Result<_>>()?;
    ensure!(values.len() == 4, "registers {moment}: {values:?}");
    Ok(values)
}
