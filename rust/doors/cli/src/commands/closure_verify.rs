//! `touchstone closure verify`, `sign` and `manifest`.

use touchstone_artifacts::Context;
use touchstone_artifacts::closure_manifest::{ListClosure, SignClosure};
use touchstone_artifacts::closure_verify::{ClosureVerdict, VerifyClosure};
use touchstone_artifacts::manifest::ManifestSummary;
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::{ListClosureArguments, SignClosureArguments, VerifyClosureArguments};

/// Says whether a closure is signed, and on the disk as it was signed.
///
/// # Errors
/// [`Failure`] when it cannot be said.
pub fn verify(words: VerifyClosureArguments, context: &Context<'_>) -> Result<Verdict, Failure> {
    let json = words.json;
    let verdict = perform(&VerifyClosure::from(words), context)?;
    match json {
        true => print::json(&verdict)?,
        false => lines(&verdict)
            .iter()
            .try_for_each(|line| print::line(line))?,
    }
    Ok(match verdict.verified {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}

fn lines(verdict: &ClosureVerdict) -> Vec<String> {
    let facts = verdict.findings.iter().map(|finding| finding.fact.clone());
    let mut lines: Vec<String> = facts.collect();
    lines.push(match (verdict.verified, verdict.paths) {
        (true, paths) => format!(
            "{paths} paths are signed, and what was signed ({} bytes)",
            verdict.nar_size
        ),
        (false, 0) => {
            "not verified: nobody who is trusted says what the store should hold".to_owned()
        }
        (false, paths) => format!(
            "not verified: {} of {paths} paths are not what was signed",
            verdict.findings.len()
        ),
    });
    lines
}

/// Writes a closure's manifest.
///
/// # Errors
/// [`Failure`] when something is unknown, or not what it is known as.
pub fn list(words: ListClosureArguments, context: &Context<'_>) -> Result<(), Failure> {
    let json = words.json;
    let summary = perform(&ListClosure::from(words), context)?;
    say(json, &summary)
}

/// Signs a closure.
///
/// # Errors
/// [`Failure`] when something is unknown, or not what it is known as.
pub fn sign(words: SignClosureArguments, context: &Context<'_>) -> Result<(), Failure> {
    let json = words.json;
    let summary = perform(&SignClosure::from(words), context)?;
    say(json, &summary)
}

fn say(json: bool, summary: &ManifestSummary) -> Result<(), Failure> {
    if json {
        return print::json(summary);
    }
    let by = match summary.signed_by.as_slice() {
        [] => "no key has signed them all".to_owned(),
        names => format!("all signed by {}", names.join(", ")),
    };
    print::line(&format!(
        "{} paths ({} bytes), {by}",
        summary.paths, summary.nar_size
    ))
}
