//! A run of stages: each is timed, a failed one does not stop the others, and the end says what was found.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What a stage found.
pub struct Findings {
    /// How many checks passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// What was looked at, in a few words.
    pub what: String,
}

impl Findings {
    /// One check that passed.
    pub fn one(what: impl Into<String>) -> Findings {
        Findings {
            passed: 1,
            failed: 0,
            what: what.into(),
        }
    }
}

struct Line {
    name: &'static str,
    took: Duration,
    outcome: Result<Findings>,
}

/// The stages that have run.
#[derive(Default)]
pub struct Stages {
    lines: Vec<Line>,
    left_out: Option<&'static str>,
}

impl Stages {
    /// Says in the summary what was not looked at.
    pub fn leave_out(&mut self, what: &'static str) {
        self.left_out = Some(what);
    }

    /// Runs a stage; the answer is whether it passed.
    pub fn run(&mut self, name: &'static str, work: impl FnOnce() -> Result<Findings>) -> bool {
        eprintln!("── {name}");
        let begun = Instant::now();
        let outcome = work();
        let took = begun.elapsed();
        if let Err(error) = &outcome {
            eprintln!("error: {error:#}");
        }
        let good = matches!(&outcome, Ok(findings) if findings.failed == 0);
        eprintln!(
            "── {name}: {} in {:.1} s",
            if good { "passed" } else { "FAILED" },
            took.as_secs_f64()
        );
        self.lines.push(Line {
            name,
            took,
            outcome,
        });
        good
    }

    /// Prints the summary, its last line `N passed, N failed`.
    ///
    /// # Errors
    /// When a check failed.
    pub fn finish(self) -> Result<()> {
        let (mut passed, mut failed) = (0, 0);
        println!("\nWhat was checked:");
        for Line {
            name,
            took,
            outcome,
        } in &self.lines
        {
            let (mark, what) = match outcome {
                Ok(findings) => {
                    passed += findings.passed;
                    failed += findings.failed;
                    (
                        if findings.failed == 0 { "✓" } else { "✗" },
                        findings.what.as_str(),
                    )
                }
                Err(_) => {
                    failed += 1;
                    ("✗", "failed, see above")
                }
            };
            println!("  {mark} {name:<22} {:>7.1} s  {what}", took.as_secs_f64());
        }
        if let Some(what) = self.left_out {
            println!("  – left out: {what}");
        }
        println!("{passed} passed, {failed} failed");
        if failed > 0 {
            bail!("{failed} checks failed");
        }
        Ok(())
    }
}
