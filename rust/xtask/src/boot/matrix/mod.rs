//! The matrix: machines of every known systemd, with Secure Boot and without, in every way to boot that is predicted.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::progress::Stage;

use super::each::each;
use super::{Outcome, Wish};
use crate::toolchain;

mod cases;
mod judge;
mod refusals;
mod report;
mod scene;
mod workshop;

use cases::{Case, Systemd};
use judge::Judged;
use workshop::Workshop;

/// Boots the machines; each register and each log of each is a claim.
///
/// # Errors
/// When what they boot cannot be made.
pub fn claims(inputs: &Inputs, wish: &Wish, outcome: &mut Outcome) -> Result<()> {
    ensure!(
        !wish.write || wish.like.is_none(),
        "the table is of the whole matrix: write it without --like, or attacks alone by --only verify"
    );
    let folder = tempfile::tempdir_in("/tmp")?;
    let workshop = Workshop::open(inputs, folder.path())?;
    let root = inputs.trixie();
    let cases = chosen(inputs, wish);
    let stage = Stage::of_steps("Booting the matrix", cases.len() as u64);
    let (next, progress) = (AtomicUsize::new(0), Mutex::new(&stage));
    let rows = each(&cases, |case| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let place: PathBuf = folder.path().join(format!("machine-{number}"));
        // A machine that does not come up is a finding, not the end of the run.
        let judged = judge::judge(&workshop, &root, case, &place);
        let _ = std::fs::remove_dir_all(&place);
        if let Ok(stage) = progress.lock() {
            stage.step();
        }
        Ok((*case, judged))
    })?;
    stage.done("booted");
    let mut judged = Vec::new();
    for (case, row) in rows {
        match row {
            Ok(row) => {
                outcome.add(&case.to_string(), verdict(&row));
                judged.push(row);
            }
            Err(error) => outcome.add(&case.to_string(), Err(error)),
        }
    }
    if wish.write {
        let kernel = inputs.kernel.get("amd64").context("no amd64 kernel")?;
        report::write(&toolchain::checkout()?, &judged, &kernel.version)?;
    }
    Ok(())
}

fn chosen(inputs: &Inputs, wish: &Wish) -> Vec<Case> {
    let mut cases = if wish.all { Case::all() } else { Case::few() };
    if let Some(like) = &wish.like {
        cases.retain(|case| case.to_string().contains(like));
    }
    let there = |systemd: Systemd| inputs.stub.contains_key(systemd.suite());
    if let Some(gone) = cases.iter().find(|case| !there(case.systemd)) {
        println!("  left out: {} does not answer", gone.systemd.suite());
    }
    cases.retain(|case| there(case.systemd));
    cases
}

fn verdict(row: &Judged) -> Result<()> {
    match row.wrong().as_slice() {
        [] => Ok(()),
        wrong => Err(anyhow!("{}", wrong.join("\n    "))),
    }
}
