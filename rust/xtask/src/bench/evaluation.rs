//! What Touchstone costs where a configuration is evaluated: the same configuration without it, with boot artifacts beside the toplevel, and
//! with a sealed toplevel (`checks/evaluation-cost.nix`).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Nix, stand_in};

/// How Touchstone is used, in the expression's words and in ours.
const WAYS: [(&str, &str); 3] = [
    ("without", "without Touchstone"),
    ("beside", "boot artifacts beside the toplevel"),
    ("sealed", "a sealed toplevel"),
];

/// Numbers of specialisations.
const SPECIALISATIONS: [usize; 2] = [0, 3];

/// What Nix says of an evaluation.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    /// Seconds of processor.
    cpu_time: f64,
    /// The same at every run.
    nr_function_calls: u64,
}

/// Evaluates each way `rounds` times and prints the table.
///
/// # Errors
/// When an evaluation fails.
pub fn run(inputs: &Inputs, checkout: &Path, rounds: usize) -> Result<()> {
    let evaluation = Evaluation::new(inputs, checkout)?;
    for specialisations in SPECIALISATIONS {
        let work = format!("evaluation of 15 000 options with {specialisations} specialisations");
        let stage = Stage::of_steps(work.clone(), (rounds * WAYS.len()) as u64);
        let mut costs = vec![Vec::new(); WAYS.len()];
        for _ in 0..rounds {
            for ((way, _), costs) in WAYS.iter().zip(&mut costs) {
                costs.push(evaluation.cost(way, specialisations)?);
                stage.step();
            }
        }
        stage.done(&format!("{rounds} rounds"));
        println!("{work}, median of {rounds}:");
        let medians: Vec<Cost> = costs.into_iter().filter_map(median).collect();
        let base = medians.first().context("nothing was evaluated")?;
        for ((_, name), cost) in WAYS.iter().zip(&medians) {
            println!(
                "  {name:<38} {:>8.1} ms of processor ({:.2} times) {:>9} calls of functions ({:.2} times)",
                cost.cpu_time * 1000.0,
                cost.cpu_time / base.cpu_time,
                cost.nr_function_calls,
                cost.nr_function_calls as f64 / base.nr_function_calls as f64,
            );
        }
    }
    Ok(())
}

/// Nix with the stand-in for nixpkgs, in a folder of its own.
struct Evaluation {
    folder: tempfile::TempDir,
    nix: Nix,
    nixpkgs: PathBuf,
    expression: PathBuf,
}

impl Evaluation {
    fn new(inputs: &Inputs, checkout: &Path) -> Result<Evaluation> {
        let folder = tempfile::tempdir()?;
        let nixpkgs = stand_in::nixpkgs(checkout, folder.path())?;
        let nix = Nix::new(inputs, folder.path().join("store"))?
            .show(checkout)
            .bind(folder.path());
        let expression = checkout.join("checks/evaluation-cost.nix");
        Ok(Evaluation {
            folder,
            nix,
            nixpkgs,
            expression,
        })
    }

    fn cost(&self, way: &str, specialisations: usize) -> Result<Cost> {
        let statistics = self.folder.path().join("statistics.json");
        let mut command = self.nix.command("nix-instantiate")?;
        command.args(["--eval", "--read-write-mode"]);
        command.arg(&self.expression);
        command.args(["--argstr", "way", way]);
        command.args(["--arg", "specialisations", &specialisations.to_string()]);
        command.arg("--arg").arg("nixpkgs").arg(&self.nixpkgs);
        command.env("NIX_SHOW_STATS", "1");
        command.env("NIX_SHOW_STATS_PATH", &statistics);
        output(command)?;
        let text = std::fs::read(&statistics).context("reading Nix's statistics")?;
        Ok(serde_json::from_slice(&text)?)
    }
}

fn median(mut costs: Vec<Cost>) -> Option<Cost> {
    costs.sort_by(|one, other| one.cpu_time.total_cmp(&other.cpu_time));
    costs.get(costs.len() / 2).copied()
}
