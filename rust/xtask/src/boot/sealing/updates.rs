//! A policy that is made while an update of `dbx` is pending, in another bank than SHA-256.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use touchstone_harness::boot::Variables;
use touchstone_harness::nix::output;
use touchstone_measure::Bank;

use super::bench::{Asked, Bench};
use super::generation::Generation;
use super::vault::Vault;
use super::{Expected, NOT_AMONG_THEM, boot};
use crate::boot::Outcome;
use crate::boot::keys::read;

/// Boots before and after the update, and after another one.
pub fn claims(bench: &Bench<'_>, outcome: &mut Outcome) -> Result<()> {
    let generation = Generation::plain(1);
    let (predicted, other) = (forbidding(bench, "11")?, forbidding(bench, "22")?);
    let asked = Asked {
        bank: Bank::Sha384,
        dbx: Some(&predicted),
        ..Asked::at("")
    };
    let policy = bench.policy(&[bench.predict(&[generation], &asked)?])?;
    let branches = policy.branches.len();
    ensure!(branches == 2, "the policy has {branches} branches");
    let vault = Vault::seal(&bench.root, &[&policy])?;
    let [sealed] = vault.sealed() else {
        bail!("one secret was sealed")
    };
    let orders = [sealed.order(0)?];
    for (claim, dbx, expected) in [
        ("opens before the update of dbx", None, Expected::Open),
        ("opens after it", Some(&predicted), Expected::Open),
        (
            "does not open after another one",
            Some(&other),
            Expected::Shut(NOT_AMONG_THEM),
        ),
    ] {
        let variables = Variables {
            dbx: dbx.map_or(Ok(Vec::new()), |dbx| read(dbx))?,
            ..bench.variables(true)?
        };
        let verdict = boot(bench, &vault, generation, variables, &orders, &[expected]);
        let claim = format!("a secret under the SHA-384 bank and a pending update {claim}");
        outcome.add(&claim, verdict);
    }
    Ok(())
}

/// A `dbx` that forbids one image, which no machine has: its digest repeats this byte.
fn forbidding(bench: &Bench<'_>, byte: &str) -> Result<PathBuf> {
    let path = bench.path(&format!("dbx-{byte}.esl"));
    let mut list = bench.command(&["keys", "esl", "--hash", &byte.repeat(32), "--output"]);
    list.arg(&path);
    output(list)?;
    Ok(path)
}
