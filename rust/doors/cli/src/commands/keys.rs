//! `touchstone keys`.

use serde::Serialize;
use touchstone_artifacts::Context;
use touchstone_artifacts::keys::{
    GenerateKeys, InspectKeys, MakeEsl, PrepareUpdate, SignUpdate, Warning,
};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::Keys;
use crate::inspect_keys;

/// Makes keys, lists and updates, or shows them. The verdict is negative when an update that is shown is not validly signed.
///
/// # Errors
/// [`Failure`].
pub fn run(keys: Keys, context: &Context<'_>) -> Result<Verdict, Failure> {
    match keys {
        Keys::Generate(generate) => {
            let json = generate.json;
            let answer = perform(&GenerateKeys::from(generate), context)?;
            done(json, &answer, &answer.warnings)
        }
        Keys::Esl(esl) => {
            let json = esl.json;
            let answer = perform(&MakeEsl::from(esl), context)?;
            done(json, &answer, &answer.warnings)
        }
        Keys::Auth(auth) if auth.prepare_offline_signing => {
            let json = auth.json;
            done(json, &perform(&PrepareUpdate::from(auth), context)?, &[])
        }
        Keys::Auth(auth) => {
            let json = auth.json;
            let answer = perform(&SignUpdate::from(auth), context)?;
            done(json, &answer, &answer.warnings)
        }
        Keys::Inspect { files, json } => inspect(files, json, context),
    }
}

fn inspect(
    files: Vec<std::path::PathBuf>,
    json: bool,
    context: &Context<'_>,
) -> Result<Verdict, Failure> {
    let answer = perform(&InspectKeys { files }, context)?;
    match json {
        true => print::json(&answer)?,
        false => print::line(&inspect_keys::files(&answer.files))?,
    }
    let bad = |file: &touchstone_artifacts::keys::InspectedFile| {
        file.update
            .as_ref()
            .is_some_and(|update| update.problem.is_some())
    };
    Ok(match answer.files.iter().any(bad) {
        true => Verdict::Negative,
        false => Verdict::Done,
    })
}

/// Prints the answer where it is asked for, and warnings, a line each, on standard error.
fn done(json: bool, answer: &impl Serialize, warnings: &[Warning]) -> Result<Verdict, Failure> {
    for Warning { code, what, help } in warnings {
        eprintln!("touchstone: warning: {what}; {help} [{code}]");
    }
    if json {
        print::json(answer)?;
    }
    Ok(Verdict::Done)
}
