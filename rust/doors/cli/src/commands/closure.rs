//! `touchstone closure`.

use serde::Serialize;
use touchstone_artifacts::Context;
use touchstone_artifacts::interpreters::{
    FindInterpreters, FoundInterpreters, InterpretersVerdict,
};
use touchstone_artifacts::secrets::{FindSecrets, FoundSecret, SecretsVerdict};
use touchstone_operations::{Failure, perform};

use super::{Verdict, closure_import, closure_verify, print};
use crate::arguments::Closure;

/// Does what the words say with closures.
///
/// # Errors
/// [`Failure`] of the operation, or of printing its answer.
pub fn run(words: Closure, context: &Context<'_>) -> Result<Verdict, Failure> {
    match words {
        Closure::Secrets(words) => {
            let json = words.json;
            let verdict = perform(&FindSecrets::from(words), context)?;
            show(json, &verdict, secrets, verdict.clean)
        }
        Closure::Interpreters(words) => {
            let json = words.json;
            let verdict = perform(&FindInterpreters::from(words), context)?;
            show(json, &verdict, interpreters, verdict.clean)
        }
        Closure::Verify(words) => closure_verify::verify(words, context),
        Closure::Sign(words) => closure_verify::sign(words, context).map(done),
        Closure::Manifest(words) => closure_verify::list(words, context).map(done),
        Closure::Import(words) => closure_import::import(words, context).map(done),
        Closure::Export(words) => closure_import::export(words, context).map(done),
        Closure::Registration(words) => closure_import::registration(words, context).map(done),
    }
}

fn done(_: ()) -> Verdict {
    Verdict::Done
}

fn show<Answer: Serialize>(
    json: bool,
    verdict: &Answer,
    lines: fn(&Answer) -> Vec<String>,
    clean: bool,
) -> Result<Verdict, Failure> {
    if json {
        print::json(verdict)?;
    } else {
        for line in lines(verdict) {
            print::line(&line)?;
        }
    }
    Ok(match clean {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}

fn secrets(verdict: &SecretsVerdict) -> Vec<String> {
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

fn interpreters(verdict: &InterpretersVerdict) -> Vec<String> {
    let all = verdict.found.iter().chain(&verdict.allowed);
    let mut lines: Vec<String> = all.flat_map(FoundInterpreters::lines).collect();
    let unused = verdict.unused.iter();
    lines.extend(unused.map(|entry| format!("note: {entry} allows nothing that is there")));
    let loaders = verdict.loaders.iter();
    lines.extend(loaders.map(|loader| format!("dynamic loader: {loader}")));
    let hidden: u64 = verdict.not_looked_into.values().sum();
    if hidden > 0 {
        lines.push(format!("note: {hidden} files are compressed, archives, PE images or byte code: nothing is known of what they hold"));
    }
    lines.push(format!(
        "{} findings in {} of {} paths, {} more allowed; {} files, {} bytes",
        files(&verdict.found),
        verdict.found.len(),
        verdict.paths,
        files(&verdict.allowed),
        verdict.files,
        verdict.bytes
    ));
    lines
}

fn files(found: &[FoundInterpreters]) -> usize {
    found.iter().map(|found| found.files.len()).sum()
}
