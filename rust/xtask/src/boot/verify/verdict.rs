//! What a machine did, by what is on its console and how it ended.

use anyhow::{Result, bail, ensure};
use touchstone_harness::boot::{Boot, Outcome, Report};

/// What code of the root writes on the console, with its name behind it.
const RUNS: &str = "touchstone-root: code of the root runs: ";
/// Who writes it: where a message of the kernel tears a line apart, this much of it is left.
const ROOT: &str = "touchstone-root";
/// With what every message of the program begins.
const PROGRAM: &str = "touchstone-stage1: ";
/// What it says of a system that is what was signed.
const SIGNED: &str = "every path of the system is what was signed: ";
/// What it says last, with what it does then.
const STOPS: &str = "nothing of the system was started; the machine ";
/// How QEMU ends when its machine asks for a restart, and is to make none.
const ENDED: &str = "exit status: 0";

/// What it says of a system that is what was signed; none where it does not.
pub fn signed(boot: &Boot) -> Option<&str> {
    said(boot).find_map(|line| behind(line, SIGNED))
}

/// Whether it said that so many paths are what was signed, before it ran anything of the root.
///
/// # Errors
/// When it did not, or later.
pub fn signed_first(boot: &Boot, paths: usize) -> Result<()> {
    let said = signed(boot);
    let expected = format!("{paths} paths, ");
    ensure!(
        said.is_some_and(|said| said.starts_with(&expected)),
        "of the check of {paths} paths it says {said:?}"
    );
    let at = |words: &str| boot.serial.find(words).unwrap_or(usize::MAX);
    ensure!(
        at(SIGNED) < at(ROOT),
        "code of the root ran before the check was over"
    );
    Ok(())
}

/// Whether of the root these ran, in this order.
///
/// # Errors
/// When something else did, or a line about it cannot be read.
pub fn ran(boot: &Boot, expected: &[&str]) -> Result<()> {
    let lines = boot.serial.lines();
    let names: Vec<&str> = lines.filter_map(|line| behind(line, RUNS)).collect();
    ensure!(names == expected, "of the root ran {names:?}");
    let mentioned = boot.serial.matches(ROOT).count();
    ensure!(
        mentioned == expected.len(),
        "the root is heard {mentioned} times on the console"
    );
    Ok(())
}

/// The reason for which it stopped: nothing of the root ran, nothing was called good, and the machine ended by itself.
///
/// # Errors
/// When one of these is not so, or it did not say this.
pub fn stopped<'b>(boot: &'b Boot, says: &str) -> Result<&'b str> {
    ran(boot, &[])?;
    let good = signed(boot);
    ensure!(
        good.is_none(),
        "it says that every path is what was signed: {good:?}"
    );
    let Some(reason) = said(boot).find(|line| line.contains(says)) else {
        let tail: Vec<&str> = boot.serial.lines().rev().take(12).collect();
        bail!("it does not say `{says}`; last on its console: {tail:#?}");
    };
    ensure!(
        said(boot).any(|line| line.starts_with(STOPS)),
        "it does not say that it stops"
    );
    match &boot.outcome {
        // The line that was waited for.
        Outcome::Reached if boot.report == Report::default() => Ok(reason),
        Outcome::Crashed { how } if how.starts_with(ENDED) => Ok(reason),
        other => bail!("it says why, and does not stop: {other}"),
    }
}

/// What the program says.
fn said(boot: &Boot) -> impl Iterator<Item = &str> {
    boot.serial.lines().filter_map(|line| behind(line, PROGRAM))
}

/// What stands behind these words on a line, which the kernel may have begun.
fn behind<'l>(line: &'l str, words: &str) -> Option<&'l str> {
    line.split_once(words).map(|(_, behind)| behind.trim())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const REASON: &str = "touchstone-stage1: the command line has more than one init=";
    const RESTARTS: &str = "touchstone-stage1: nothing of the system was started; the machine starts again in 10 seconds";

    fn boot(lines: &[&str], outcome: Outcome) -> Boot {
        Boot {
            outcome,
            refusals: Vec::new(),
            serial: lines.join("\n"),
            report: Report::default(),
            duration: Duration::ZERO,
            first_attempt: None,
        }
    }

    fn ended(how: &str) -> Outcome {
        Outcome::Crashed {
            how: how.to_owned(),
        }
    }

    fn says(lines: &[&str], outcome: Outcome) -> Result<String> {
        stopped(&boot(lines, outcome), "more than one init=").map(str::to_owned)
    }

    #[test]
    fn a_machine_that_says_why_and_restarts_has_stopped() {
        let outcome = ended("exit status: 0");
        let kernel = format!("[    2.1] {REASON}");
        for line in [REASON, &kernel] {
            let said = says(&[line, RESTARTS], outcome.clone()).unwrap();
            assert_eq!(said, "the command line has more than one init=");
        }
    }

    #[test]
    fn what_runs_of_the_root_is_heard_wherever_it_stands_on_a_line() {
        let whole = "touchstone-root: code of the root runs: init";
        let begun = format!("[    9.3] audit: {whole}");
        let torn = "touchstone-root: code of [    9.3] audit: the root runs: init";
        for line in [whole, &begun, torn] {
            let error = says(&[line, REASON, RESTARTS], ended("exit status: 0"));
            assert!(error.unwrap_err().to_string().contains("root"), "{line}");
        }
        let boot = boot(&[&begun], Outcome::Reached);
        ran(&boot, &["init"]).unwrap();
        assert!(ran(&boot, &["prepare-root", "init"]).is_err());
    }

    #[test]
    fn the_check_is_over_before_anything_of_the_root_runs() {
        let signed = "[    5.0] touchstone-stage1: every path of the system is what was signed: 9 paths, 0.05 GiB, 3.42 s";
        let runs = "touchstone-root: code of the root runs: prepare-root";
        let said = |lines: &[&str], paths| signed_first(&boot(lines, Outcome::Reached), paths);
        said(&[signed, runs], 9).unwrap();
        for (lines, paths, why) in [
            ([runs, signed].as_slice(), 9, "before the check was over"),
            (&[signed, runs], 10, "of the check of 10 paths it says"),
            (&[runs], 9, "of the check of 9 paths it says None"),
        ] {
            let error = said(lines, paths).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn words_alone_are_no_stop() {
        let signed = "touchstone-stage1: every path of the system is what was signed: 9 paths";
        let ended = || ended("exit status: 0");
        for (lines, outcome, why) in [
            (vec![RESTARTS], ended(), "does not say `more than"),
            (vec![REASON], ended(), "does not say that it stops"),
            (
                vec![signed, REASON, RESTARTS],
                ended(),
                "is what was signed",
            ),
            (vec![REASON, RESTARTS], Outcome::TimedOut, "does not stop"),
            (
                vec![REASON, RESTARTS],
                Outcome::Panicked {
                    line: "Kernel panic".into(),
                },
                "does not stop",
            ),
            (
                vec![REASON, RESTARTS],
                Outcome::Crashed {
                    how: "signal: 9".into(),
                },
                "does not stop",
            ),
        ] {
            let error = says(&lines, outcome).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_machine_that_came_up_has_not_stopped() {
        let mut came_up = boot(&[REASON, RESTARTS], Outcome::Reached);
        came_up.report.tpm = true;
        assert!(stopped(&came_up, "more than one init=").is_err());
    }
}
