//! `touchstone closure`.

use touchstone_artifacts::Context;
use touchstone_artifacts::secrets::{FindSecrets, FoundSecret, SecretsVerdict};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::Closure;

/// Looks for private keys.
///
/// # Errors
/// [`Failure`] when there is no verdict.
pub fn run(words: Closure, context: &Context<'_>) -> Result<Verdict, Failure> {
    let Closure::Secrets(words) = words;
    let json = words.json;
    let verdict = perform(&FindSecrets::from(words), context)?;
    if json {
        print::json(&verdict)?;
    } else {
        for line in lines(&verdict) {
            print::line(&line)?;
        }
    }
    Ok(match verdict.clean {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}

fn lines(verdict: &SecretsVerdict) -> Vec<String> {
    let found = verdict.found.iter().map(FoundSecret::line);
    let mut lines: Vec<String> = found.collect();
    let allowed = verdict.allowed.iter();
    lines.extend(allowed.map(|found| format!("allowed: {}", found.line())));
    let unused = verdict.unused.iter();
    lines.extend(unused.map(|entry| format!("note: {entry} allows nothing that is there")));
    lines.push(format!(
        "{} keys, {} of them allowed; {} files, {} bytes",
        verdict.found.len() + verdict.allowed.len(),
        verdict.allowed.len(),
        verdict.files,
        verdict.bytes
    ));
    lines
}
