//! What an attacker may do without any effect: the system starts, and the check takes no longer.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;

use super::workshop::{Generation, Image, Tree, Verified};
use super::{Outcome, verdict};

/// Store paths that nothing refers to.
const JUNK: u32 = 200_000;
/// Mebibytes that have inodes for them.
const JUNK_ROOM: u64 = 4096;

/// Boots with references cut in Nix' database, and with junk in the store; times are shown beside those of the clean root.
pub fn claims(
    verified: &Verified,
    generation: &Generation,
    tree: &Tree,
    outcome: &mut Outcome,
) -> Result<()> {
    let clean = boot(verified, generation, &verified.root(tree, |_| Ok(()))?)?;
    let cut = verified.root(tree, |tree| cut(verified, tree));
    let cut = cut.and_then(|root| boot(verified, generation, &root));
    let junk = verified.root_with_room(tree, JUNK_ROOM, |_| Ok(()));
    let junk = junk.and_then(|root| boot(verified, generation, &root.changed(junk_in)?));
    for (claim, taken) in [
        (
            "references that are cut in Nix' database change nothing",
            cut,
        ),
        (
            "200 000 store paths that nothing refers to change nothing",
            junk,
        ),
    ] {
        let verdict = taken.map(|taken| {
            println!(
                "  {claim}: stage 2 after {:.2} s, {:.3} of the clean {:.2} s",
                taken.as_secs_f64(),
                taken.as_secs_f64() / clean.as_secs_f64(),
                clean.as_secs_f64(),
            );
        });
        outcome.add(claim, verdict);
    }
    Ok(())
}

/// How long the kernel had run when stage 2 reported: of two boots the shorter time.
fn boot(verified: &Verified, generation: &Generation, root: &Image) -> Result<Duration> {
    let stage = Stage::begin("Booting twice");
    let mut taken = Vec::new();
    for _ in 0..2 {
        let boot = verified.machine(generation, root)?.boot()?;
        boot.reached()?;
        verdict::ran(&boot, &["prepare-root", "init"])?;
        verdict::signed_first(&boot, generation.paths()?)?;
        taken.push(boot.report.uptime);
    }
    let taken = taken.into_iter().min().context("no boot")?;
    stage.done(&format!("{:.2} s", taken.as_secs_f64()));
    Ok(taken)
}

/// Registers every path anew, as one that refers to nothing.
fn cut(verified: &Verified, tree: &Tree) -> Result<()> {
    let database = tree.at("nix/var/nix/db");
    fs::remove_dir_all(&database).with_context(|| database.display().to_string())?;
    let store = format!("local?root={}", tree.at("").display());
    let mut names = Vec::new();
    for entry in fs::read_dir(tree.at("nix/store"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            names.push(name);
        }
    }
    let registration: String = names
        .iter()
        .map(|name| format!("/nix/store/{name}\n{}\n1\n\n0\n", "0".repeat(64)))
        .collect();
    let list = tree.at("nix/var/registration");
    fs::write(&list, registration)?;
    let mut load = verified.nix().command("nix-store")?;
    load.args(["--load-db", "--store", &store]);
    load.stdin(fs::File::open(&list)?);
    output(load)?;
    Ok(fs::remove_file(list)?)
}

/// Fills the store with paths that nothing refers to.
fn junk_in(tree: &Tree) -> Result<()> {
    let store = tree.at("nix/store");
    for number in 0..JUNK {
        let name = format!("{number:032}-junk");
        fs::File::create(store.join(name))?;
    }
    Ok(())
}
