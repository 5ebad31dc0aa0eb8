//! Contestants that take turns, so that whatever else the machine does falls on all alike; the median counts.

use anyhow::{Result, bail};
use touchstone_harness::Usage;
use touchstone_harness::progress::Stage;

use super::files::Files;

/// A program with its arguments, run in the folder of the files.
pub struct Contestant {
    /// What is printed for it.
    pub name: &'static str,
    /// The program: of the root, or `./program` of the folder.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<&'static str>,
    /// The file that takes what it prints.
    pub prints_to: &'static str,
    /// How often it runs for the work; `{}` in an argument is the run's number, from 0.
    pub times: usize,
}

/// What is to be reached.
#[derive(Clone, Copy, Default)]
pub struct Wanted {
    /// How many times faster the first is than the second.
    pub times_the_peer: Option<f64>,
    /// At most this part of the third's time.
    pub of_the_least: Option<f64>,
    /// The first's peak of memory, in MiB.
    pub peak_mib: Option<f64>,
    /// The first's processor time, in milliseconds.
    pub processor_ms: Option<f64>,
}

/// Several programs that do the same work: ours, the peer, and maybe the least that anybody must do.
pub struct Contest {
    /// The work.
    pub work: String,
    /// Ours first, the peer second.
    pub contestants: Vec<Contestant>,
    /// The targets.
    pub wanted: Wanted,
    /// Whether all made the same.
    pub same: fn(&Files) -> Result<()>,
}

impl Contest {
    /// Runs all in turns and prints the table; the answer is what was not reached.
    ///
    /// # Errors
    /// When a contestant fails, or they did not make the same.
    pub fn run(&self, files: &Files, rounds: usize) -> Result<Vec<String>> {
        let mut usages = vec![Vec::new(); self.contestants.len()];
        let stage = Stage::of_steps(self.work.clone(), (rounds * self.contestants.len()) as u64);
        // The first round fills caches, makes what is copied, and does not count.
        for round in 0..=rounds {
            for (contestant, usages) in self.contestants.iter().zip(&mut usages) {
                let usage = files.run(contestant)?;
                if round > 0 {
                    usages.push(usage);
                    stage.step();
                }
            }
        }
        (self.same)(files)?;
        stage.done(&format!("{rounds} rounds, all made the same"));
        println!(
            "{}, in {}, median of {rounds}:",
            self.work,
            files.place().display()
        );
        let medians: Vec<Usage> = usages.iter().map(|usages| median(usages)).collect();
        self.report(&medians)
    }

    fn report(&self, medians: &[Usage]) -> Result<Vec<String>> {
        for (contestant, usage) in self.contestants.iter().zip(medians) {
            println!(
                "  {:<38} {:>8.1} ms {:>8.1} ms of processor {:>7.1} MiB",
                contestant.name,
                usage.seconds * 1000.0,
                usage.processor_seconds * 1000.0,
                mib(usage),
            );
        }
        let [ours, peer, least @ ..] = medians else {
            bail!("not everything was timed");
        };
        let mut missed = Vec::new();
        let mut want = |reached: bool, what: String| {
            if !reached {
                missed.push(format!("{}: {what}", self.work));
            }
        };
        let times = peer.seconds / ours.seconds;
        let wanted = self.wanted.times_the_peer;
        println!(
            "  touchstone is {times:.1} times as fast as its peer{}",
            wanted.map_or(String::new(), |wanted| format!(" (wanted: {wanted:.0})"))
        );
        want(
            wanted.is_none_or(|wanted| times >= wanted),
            format!("{times:.1} times as fast as the peer"),
        );
        if let (Some(least), Some(wanted)) = (least.first(), self.wanted.of_the_least) {
            let part = ours.seconds / least.seconds;
            println!("  and takes {part:.2} of the least (at most {wanted:.0})");
            want(part <= wanted, format!("{part:.2} of the least"));
        }
        let peak = mib(ours);
        want(
            self.wanted.peak_mib.is_none_or(|most| peak < most),
            format!("a peak of {peak:.1} MiB"),
        );
        let processor_ms = ours.processor_seconds * 1000.0;
        want(
            self.wanted
                .processor_ms
                .is_none_or(|most| processor_ms < most),
            format!("{processor_ms:.1} ms of processor"),
        );
        Ok(missed)
    }
}

/// The peak of memory in MiB.
fn mib(usage: &Usage) -> f64 {
    usage.peak_memory as f64 / f64::from(1 << 20)
}

/// The median of each number by itself; of memory the highest.
pub fn median(usages: &[Usage]) -> Usage {
    let middle = |number: fn(&Usage) -> f64| {
        super::median(usages.iter().map(number).collect()).unwrap_or(f64::NAN)
    };
    Usage {
        seconds: middle(|usage| usage.seconds),
        processor_seconds: middle(|usage| usage.processor_seconds),
        peak_memory: usages
            .iter()
            .map(|usage| usage.peak_memory)
            .max()
            .unwrap_or(0),
    }
}
