//! What a call of the plugin's functions costs, beside `builtins.fromJSON` of a text as long as the answer: both in the same Nix, in one
//! evaluation of many calls, in turns.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Nix};

use super::median;

/// The calls of one evaluation.
const CALLS: u32 = 20_000;

/// At most so many microseconds for a call whose answer is as long as that of one generation, the making of its value included. The
/// difference to `builtins.fromJSON` is no measure: the Nix of the checks is built without optimisation, so that its own functions are slow.
const AT_MOST: f64 = 50.0;

/// A call: what is printed for it, the function, and its argument, in which `n` is the call's number.
struct Work {
    name: &'static str,
    function: &'static str,
    request: &'static str,
    /// Whether the call is held to [`AT_MOST`]; if not, to what `builtins.fromJSON` takes.
    short: bool,
}

const WORKS: [Work; 4] = [
    Work {
        name: "parse.storePath",
        function: "t.parse.storePath",
        request: r#"{ path = "/nix/store/${hash}-name-${toString n}"; }"#,
        short: true,
    },
    Work {
        name: "bootspec",
        function: "t.bootspec",
        request: "generation n",
        short: true,
    },
    Work {
        name: "bootspec, 10 specialisations",
        function: "t.bootspec",
        request: "generation n // { specialisations = builtins.listToAttrs (builtins.genList specialisation 10); }",
        short: false,
    },
    Work {
        name: "run, of bootspec",
        function: "t.run",
        request: r#"builtins.toJSON ({ operation = "bootspec.emit"; } // generation n)"#,
        short: true,
    },
];

/// What the calls share.
const SHARED: &str = r#"
  t = builtins.touchstone;
  hash = "00000000000000000000000000000000";
  generation = n: {
    system = "x86_64-linux";
    init = "/nix/store/${hash}-toplevel/init";
    initrds = [ "/nix/store/${hash}-initrd/initrd" ];
    kernel = "/nix/store/${hash}-linux/bzImage";
    kernelParams = [ "quiet" "console=ttyS0" "root=fstab" "loglevel=4" ];
    label = "generation ${toString n}";
    toplevel = "/nix/store/${hash}-toplevel";
  };
  specialisation = i: { name = toString i; value = generation i; };
"#;

/// What Nix says of an evaluation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    /// Seconds of processor.
    cpu_time: f64,
}

/// How long the calls of an evaluation take, in microseconds each.
#[derive(Default)]
struct Times {
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// Times every call `rounds` times and prints the table; the answer is what was not reached.
///
/// # Errors
/// When the plugin is not built, or an evaluation fails.
pub fn run(inputs: &Inputs, rounds: usize) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let nix = Nix::with_plugin(inputs, folder.path().join("store"))?.bind(folder.path());
    let desk = Desk { folder, nix };
    let mut missed = Vec::new();
    println!("{CALLS} calls in one evaluation, median of {rounds}, processor time of one call:");
    for work in &WORKS {
        let stage = Stage::of_steps(work.name, rounds as u64);
        let mut times = Times::default();
        for _ in 0..rounds {
            desk.time(work, &mut times)?;
            stage.step();
        }
        stage.done(&format!("{rounds} rounds"));
        missed.extend(report(work, times, desk.size(work)?)?);
    }
    Ok(missed)
}

fn report(work: &Work, times: Times, size: usize) -> Result<Option<String>> {
    let (ours, theirs) = (median(times.ours)?, median(times.theirs)?);
    println!(
        "  {:<30} {ours:>7.1} µs   builtins.fromJSON of its {size} bytes {theirs:>7.1} µs   {:.2} of it",
        work.name,
        ours / theirs
    );
    let most = if work.short { AT_MOST } else { theirs };
    let missed = || format!("{}: {ours:.1} µs a call (at most {most:.1})", work.name);
    Ok((ours > most).then(missed))
}

struct Desk {
    folder: tempfile::TempDir,
    nix: Nix,
}

impl Desk {
    /// Evaluates once what a call is given, then with the call, then with `fromJSON` in its place: nobody is to pay for what the
    /// caller's own set costs.
    fn time(&self, work: &Work, times: &mut Times) -> Result<()> {
        let Work {
            function, request, ..
        } = work;
        let idle = self.cost(work, &format!("builtins.deepSeq ({request}) null"))?;
        let ours = self.cost(work, &format!("{function} ({request})"))?;
        let theirs = self.cost(
            work,
            &format!("builtins.deepSeq ({request}) (builtins.fromJSON text)"),
        )?;
        let of_one = |cost: f64| (cost - idle) * 1e6 / f64::from(CALLS);
        times.ours.push(of_one(ours));
        times.theirs.push(of_one(theirs));
        Ok(())
    }

    /// Seconds of processor for all calls, whose answers are evaluated whole.
    fn cost(&self, work: &Work, call: &str) -> Result<f64> {
        let statistics = self.folder.path().join("statistics.json");
        let mut command = self.evaluation(
            work,
            &format!(
                "builtins.foldl' (sum: n: builtins.deepSeq ({call}) (sum + n)) 0 (builtins.genList (n: n) {CALLS})"
            ),
        )?;
        command.env("NIX_SHOW_STATS", "1");
        command.env("NIX_SHOW_STATS_PATH", &statistics);
        output(command)?;
        let text = fs::read(&statistics).context("reading Nix's statistics")?;
        let Statistics { cpu_time } = serde_json::from_slice(&text)?;
        Ok(cpu_time)
    }

    /// The length of the answer's text.
    fn size(&self, work: &Work) -> Result<usize> {
        let said = output(self.evaluation(work, "builtins.stringLength text")?)?;
        said.trim().parse().context("no length")
    }

    /// An evaluation of an expression in which `text` is the answer of one call, as JSON.
    fn evaluation(&self, work: &Work, expression: &str) -> Result<Command> {
        let Work {
            function, request, ..
        } = work;
        let file = self.folder.path().join("expression.nix");
        fs::write(
            &file,
            format!(
                "let {SHARED} text = let n = 0; in builtins.toJSON ({function} ({request})); in {expression}"
            ),
        )?;
        let mut command = self.nix.command("nix-instantiate")?;
        command.args(["--eval", "--strict"]).arg(file);
        Ok(command)
    }
}
