//! Stage 1 against those who change what it verifies, or what it is told: whole machines, under Secure Boot.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::boot::Boot;
use touchstone_harness::progress::Stage;
use touchstone_measure::{Bank, Digest};

use super::{Outcome, Wish};
use crate::compare::Comparison;
use crate::toolchain;

mod attacks;
mod harmful;
mod harmless;
mod page;
mod verdict;
mod workshop;

use attacks::{Attack, BESIDE, HALTING, NIXOS_INIT, NO_SYSTEM, PLAIN, Scene, attacks};
use workshop::{Generation, Tree, Verified};

/// The generation whose initrd verifies nothing.
const UNVERIFIED: &str = "unverified";

/// Boots what is as it was signed, and what is not; with `all` every attack, else one of each kind.
pub fn claims(inputs: &Inputs, wish: &Wish, outcome: &mut Outcome) -> Result<()> {
    let verified = Verified::new(inputs)?;
    let generations = built(&verified)?;
    let toplevels = generations.values().map(|made| made.toplevel.as_str());
    let tree = verified.tree(&toplevels.collect::<Vec<_>>())?;
    let wanted = |name: &str| {
        wish.like
            .as_deref()
            .is_none_or(|words| name.contains(words))
    };
    let before = outcome.passed + outcome.failed.len();
    for (name, runs) in clean(wish.all) {
        if wanted(name) {
            let verdict = starts(&verified, generation(&generations, name)?, &tree, runs);
            outcome.add(&format!("the generation {name} starts its system"), verdict);
        }
    }
    if wish.all && wanted("harmless") {
        let generation = generation(&generations, PLAIN)?;
        harmless::claims(&verified, generation, &tree, outcome)?;
    }
    let mut rows = Vec::new();
    for attack in attacks() {
        if !wanted(attack.name) || !(wish.all || attack.always) {
            continue;
        }
        let said = stopped(&verified, &generations, &tree, attack);
        rows.push((attack.name, said.as_ref().ok().cloned()));
        let claim = format!("{}: nothing of the root runs", attack.name);
        outcome.add(&claim, said.map(drop));
    }
    ensure!(
        wish.only.is_none() || before < outcome.passed + outcome.failed.len(),
        "no machine is called so, or it is one of those that boot with --all alone"
    );
    if wish.write {
        page::write(&toolchain::checkout()?, &rows)?;
    }
    Ok(())
}

/// The generations that are to start, and what of the root runs then.
fn clean(all: bool) -> Vec<(&'static str, &'static [&'static str])> {
    let scripts: &[&str] = &["prepare-root", "init"];
    let mut clean = vec![(PLAIN, scripts)];
    if all {
        clean.push((UNVERIFIED, scripts));
        clean.push((BESIDE, scripts));
        clean.push((NIXOS_INIT, &["init"]));
    }
    clean
}

fn built(verified: &Verified) -> Result<BTreeMap<&'static str, Generation>> {
    let names = [UNVERIFIED, PLAIN, NIXOS_INIT, BESIDE, HALTING, NO_SYSTEM];
    let generations = names.into_iter().zip(verified.build(&names)?);
    Ok(generations.collect())
}

fn generation<'g>(
    all: &'g BTreeMap<&'static str, Generation>,
    name: &str,
) -> Result<&'g Generation> {
    all.get(name)
        .with_context(|| format!("{name} was not built"))
}

/// Boots a generation as it was signed: its system starts, its registers are what was predicted, and what is verified says so.
fn starts(verified: &Verified, generation: &Generation, tree: &Tree, runs: &[&str]) -> Result<()> {
    let name = generation.bootable.name;
    let stage = Stage::begin(format!("Booting the generation {name}"));
    let root = verified.root(tree, |_| Ok(()))?;
    let boot = verified.machine(generation, &root)?.boot()?;
    boot.reached()?;
    let said = verdict::signed(&boot);
    stage.done(said.unwrap_or("not verified"));
    verdict::ran(&boot, runs)?;
    match name {
        UNVERIFIED => ensure!(said.is_none(), "of a check it says {said:?}"),
        _ => verdict::signed_first(&boot, generation.paths()?)?,
    }
    let comparison = Comparison::of(name, &generation.bootable.pcrs, &boot)?;
    if comparison.differences() > 0 {
        comparison.print();
        bail!("{} PCRs differ", comparison.differences());
    }
    match name {
        NIXOS_INIT => measures(&boot, &generation.toplevel),
        _ => Ok(()),
    }
}

/// Whether register 15 holds the verified system, and nothing else.
fn measures(boot: &Boot, toplevel: &str) -> Result<()> {
    let measured = boot
        .report
        .pcrs
        .get("sha256")
        .and_then(|pcrs| pcrs.get(&15));
    let event = Bank::Sha256.hash(format!("touchstone-closure:{toplevel}").as_bytes());
    let expected = Digest::zero(Bank::Sha256).extended(&event).to_string();
    ensure!(
        measured == Some(&expected),
        "PCR 15 is {measured:?}, not {expected}"
    );
    Ok(())
}

/// Boots a machine that was attacked; the answer is what it says.
fn stopped(
    verified: &Verified,
    generations: &BTreeMap<&'static str, Generation>,
    tree: &Tree,
    attack: &Attack,
) -> Result<String> {
    let stage = Stage::begin(format!("Attacking with {}", attack.name));
    let generation = generation(generations, attack.generation)?;
    let root = verified.root(tree, attack.root)?;
    let scene = Scene {
        verified,
        all: generations,
        generation,
        root: &root,
    };
    let machine = (attack.machine)(&scene, verified.machine(generation, &root)?)?;
    let boot = machine.refusal_expected().boot()?;
    let said = verdict::stopped(&boot, attack.says)?;
    stage.done(said);
    Ok(said.to_owned())
}
