//! What each command does: make a request, perform it, print the answer.

mod agent;
mod agent_log;
mod boot;
mod boot_checks;
mod bootspec;
mod closure;
mod closure_import;
mod closure_verify;
mod eventlog;
mod keys;
mod measure;
mod pe;
mod policy;
mod print;
mod reference;
mod request;
mod store;
mod uki;
mod verify;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use touchstone_agent::client::{Place, SigningAgent};
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, HostFiles, Progress};
use touchstone_operations::{Description, Failure, answer, operations};

use crate::arguments::{Arguments, Command};
use crate::{builder, console};

/// How a command ended that did not fail.
pub enum Verdict {
    /// Done.
    Done,
    /// Looked at, and the answer is no.
    Negative,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] of the operation, or of printing its answer.
pub fn run(arguments: Arguments) -> Result<Verdict, Failure> {
    if matches!(arguments.command, Command::Builder) {
        return build().map(|()| Verdict::Done);
    }
    let progress = console::of_the_command_line();
    let context = Context {
        files: &HostFiles,
        progress: &*progress,
        keys: KeyPolicy::Any,
        agent: Some(&SigningAgent::new(Place::Machine)),
        now: now(),
    };
    match arguments.command {
        Command::Builder => build()?,
        Command::Run { request } => print::bytes(&request::answered(&request, &context)?)?,
        Command::Schema { operation } => schema(operation.as_deref())?,
        Command::Uki(uki) => return uki::run(uki, &context),
        Command::Pe(pe) => return pe::run(pe, &context),
        Command::Measure(measure) => return measure::run(measure, &context),
        Command::EventLog(words) => return eventlog::run(words, &context),
        Command::Policy(words) => return policy::run(words, &context),
        Command::Reference(words) => return reference::run(words, &context),
        Command::Pcrlock(words) => reference::pcrlock(words, &context)?,
        Command::Boot(words) => return boot::run(words, &context),
        Command::Bootspec(words) => return bootspec::run(words, &context),
        Command::Keys(keys) => return keys::run(keys, &context),
        Command::Store(words) => store::run(words, &context)?,
        Command::Closure(words) => return closure::run(words, &context),
        Command::Agent(words) => return agent::run(words),
    }
    Ok(Verdict::Done)
}

/// The time, in seconds since 1970-01-01 UTC.
fn now() -> Option<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.ok().map(|since| since.as_secs())
}

/// The builder door. What it makes are the derivation's outputs; what is printed is only the log.
fn build() -> Result<(), Failure> {
    let progress: &dyn Progress = &console::NixPhases::new();
    let context = Context {
        files: &HostFiles,
        progress,
        keys: KeyPolicy::TestKeysOnly,
        agent: Some(&SigningAgent::new(Place::Build)),
        now: None,
    };
    let asked = builder::asked()?;
    asked.publish(&answer(&asked.request, &context)?)
}

/// What the list says of an operation.
fn line(known: &Description) -> String {
    let Description {
        name,
        effect,
        about,
        ..
    } = known;
    format!("{name:<21} {:<5} {about}", effect.name())
}

fn schema(operation: Option<&str>) -> Result<(), Failure> {
    let known = operations();
    let Some(wanted) = operation else {
        return known.iter().try_for_each(|known| print::line(&line(known)));
    };
    let Some(found) = known.iter().find(|known| known.name == wanted) else {
        return Err(Failure::malformed(format!(
            "there is no operation `{wanted}`"
        )));
    };
    let mut schemas = json!({
        "effect": found.effect,
        "request": found.request_schema(),
        "answer": found.answer_schema(),
    });
    if let (Some(schema), Some(schemas)) = (found.document_schema(), schemas.as_object_mut()) {
        schemas.insert("document".to_owned(), schema.into());
    }
    print::json(&schemas)
}
