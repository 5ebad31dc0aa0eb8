//! `touchstone closure import`, `export` and `registration`.

use std::io::{IsTerminal, Write, stdout};

use touchstone_artifacts::closure_export::ExportClosure;
use touchstone_artifacts::closure_import::{ImportClosure, ImportedClosure};
use touchstone_artifacts::closure_registration::ListRegistered;
use touchstone_artifacts::{Context, Error};
use touchstone_operations::{Failure, perform};

use super::print;
use crate::arguments::{ExportArguments, ImportArguments, RegistrationArguments};

/// Takes paths into the store.
///
/// # Errors
/// [`Failure`] when something is refused.
pub fn import(words: ImportArguments, context: &Context<'_>) -> Result<(), Failure> {
    let json = words.json;
    let answer = perform(&ImportClosure::from(words), context)?;
    match json {
        true => print::json(&answer),
        false => print::line(&imported(&answer)),
    }
}

fn imported(answer: &ImportedClosure) -> String {
    format!(
        "{} paths imported ({} bytes), {} found in the store and registered, {} registered before",
        answer.imported.len(),
        answer.nar_size,
        answer.adopted.len(),
        answer.present
    )
}

/// Writes paths for another machine.
///
/// # Errors
/// [`Failure`] when a path is unknown, unsigned or not what was signed.
pub fn export(words: ExportArguments, context: &Context<'_>) -> Result<(), Failure> {
    let json = words.json;
    let (request, to_stdout) = words.request();
    if to_stdout {
        return stream(json, &request, context);
    }
    let answer = perform(&request, context)?;
    match json {
        true => print::json(&answer),
        false => print::line(&format!(
            "{} paths exported ({} bytes)",
            answer.paths, answer.nar_size
        )),
    }
}

/// The stream on standard output, where nothing else can be printed.
fn stream(json: bool, request: &ExportClosure, context: &Context<'_>) -> Result<(), Failure> {
    let mut out = stdout();
    if json || out.is_terminal() {
        return Err(Failure::from(Error::Request {
            fact: "the stream would go to where text is expected".to_owned(),
            help: "name a file with --output, or a folder with --cache, or pipe the stream into `touchstone closure import -`",
        }));
    }
    request.write_to(&mut out, context)?;
    out.flush().map_err(print::failed)
}

/// Lists what is registered.
///
/// # Errors
/// [`Failure`] when the registry cannot be read.
pub fn registration(words: RegistrationArguments, context: &Context<'_>) -> Result<(), Failure> {
    let json = words.json;
    let answer = perform(&ListRegistered::from(words), context)?;
    match json {
        true => print::json(&answer),
        false => answer.registration.lines().try_for_each(print::line),
    }
}
