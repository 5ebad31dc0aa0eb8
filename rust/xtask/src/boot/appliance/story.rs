//! One machine, booted again and again, and what is claimed of each boot.

use anyhow::{Result, bail, ensure};
use touchstone_harness::boot::{Boot, Done, Order, Prepared, Ran};
use touchstone_harness::progress::Stage;

use super::{Appliance, Which};
use crate::boot::Outcome;
use crate::compare::Comparison;

/// Where the entries of the boot menu are.
const ENTRIES: &str = "EFI/Linux";

/// A machine, and what was claimed of it.
pub struct Story<'a> {
    appliance: &'a Appliance<'a>,
    machine: Prepared<'a>,
    /// What the claims begin with: the boot loader.
    about: &'a str,
    outcome: &'a mut Outcome,
}

impl<'a> Story<'a> {
    /// The story of a machine.
    pub fn begin(
        appliance: &'a Appliance<'a>,
        machine: Prepared<'a>,
        about: &'a str,
        outcome: &'a mut Outcome,
    ) -> Story<'a> {
        Story {
            appliance,
            machine,
            about,
            outcome,
        }
    }

    /// The next boot, at which the guest does these: it has to be this generation's by itself, with the registers as predicted.
    ///
    /// # Errors
    /// When it is not: nothing that follows could be claimed then.
    pub fn boot(&mut self, when: &str, which: Which, orders: &[Order]) -> Result<Boot> {
        let bootable = self.appliance.bootable(which)?;
        let stage = Stage::begin(format!("Booting {}, {when}", self.about));
        self.machine.order(orders);
        let boot = self.machine.boot_settled()?;
        boot.reached()?;
        stage.done(bootable.name);
        let came = boot.report.generation.as_deref();
        ensure!(
            came == Some(bootable.generation),
            "{} {when}: generation {came:?} came up in the place of {}",
            self.about,
            bootable.generation
        );
        let compared = Comparison::of(bootable.name, &bootable.pcrs, &boot)?;
        let verdict = match compared.differences() {
            0 => Ok(()),
            count => {
                compared.print();
                Err(anyhow::anyhow!("{count} PCRs differ"))
            }
        };
        let name = bootable.name;
        self.claim(
            &format!("{name} boots {when} and measures what was predicted"),
            verdict,
        );
        Ok(boot)
    }

    /// Adds a claim.
    pub fn claim(&mut self, claim: &str, verdict: Result<()>) {
        let claim = format!("{}: {claim}", self.about);
        self.outcome.add(&claim, verdict);
    }

    /// Whether these are the entries on the ESP, and no other file is beside them.
    pub fn entries(&self, expected: &[String]) -> Result<()> {
        let mut expected = expected.to_vec();
        expected.sort();
        let seen = self.machine.esp_names(ENTRIES)?;
        ensure!(
            seen == expected,
            "on the ESP are {seen:#?}, not {expected:#?}"
        );
        Ok(())
    }

    /// The name of an entry: the generation of the profile with its specialisation, what it boots, and its counter.
    pub fn entry(&self, named: &str, which: Which, counter: &str) -> Result<String> {
        let hash = self.appliance.bootable(which)?.hash()?;
        Ok(format!("nixos-{named}-{hash}{counter}.efi"))
    }

    /// The machine between two boots.
    pub fn machine(&self) -> &Prepared<'a> {
        &self.machine
    }
}

/// What a program did at a boot, by the number of its order.
fn ran(boot: &Boot, number: usize) -> Result<&Ran> {
    match boot.report.done.get(&number) {
        Some(Done::Ran(ran)) => Ok(ran),
        other => bail!("order {number} came to {other:?}"),
    }
}

/// Passes when a program succeeded; the error has what it said.
pub fn succeeded(boot: &Boot, number: usize) -> Result<()> {
    ended(boot, number, "exit 0")
}

/// Passes when a program refused, and said these words.
pub fn refused(boot: &Boot, number: usize, words: &str) -> Result<()> {
    ended(boot, number, "exit 1")?;
    let said = String::from_utf8_lossy(&ran(boot, number)?.errors).into_owned();
    ensure!(said.contains(words), "it says {said:?}, not {words:?}");
    Ok(())
}

fn ended(boot: &Boot, number: usize, how: &str) -> Result<()> {
    let ran = ran(boot, number)?;
    let said = [&ran.output[..], &ran.errors].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(ran.how == how, "it ended with {}: {said}", ran.how);
    Ok(())
}

/// What a folder of the guest has: kind and path of each file.
pub fn listed(boot: &Boot, number: usize) -> Result<&[(String, String)]> {
    match boot.report.done.get(&number) {
        Some(Done::Listed(files)) => Ok(files),
        other => bail!("order {number} came to {other:?}"),
    }
}
