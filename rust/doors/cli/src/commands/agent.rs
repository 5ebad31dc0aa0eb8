//! `touchstone agent`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use touchstone_agent::client::Control;
use touchstone_agent::holder::{Program, hold_keys};
use touchstone_agent::policy::{self, Policy, PolicyError};
use touchstone_agent::protocol::{AgentStatus, KeyKind, LogStatus};
use touchstone_agent::server::{ServeError, Settings, serve};
use touchstone_agent::{Derivation, NotADerivation};
use touchstone_artifacts::agent::AgentError;
use touchstone_artifacts::{HostFiles, output};
use touchstone_operations::{Failure, one_line};

use super::{Verdict, agent_log, print};
use crate::arguments::{Agent, CheckPolicyArguments, DerivationArguments, ServeArguments};

/// Serves, or asks the agent that does.
///
/// # Errors
/// [`Failure`].
pub fn run(words: Agent) -> Result<Verdict, Failure> {
    match words {
        Agent::Serve(words) => serve(&settings(words)).map_err(|error| not_served(&error))?,
        Agent::Grant(words) => {
            let (mut control, derivation) = about(&words)?;
            control.grant(&derivation).map_err(refused)?;
        }
        Agent::Revoke(words) => {
            let (mut control, derivation) = about(&words)?;
            control.revoke(&derivation).map_err(refused)?;
        }
        Agent::Status { place, json } => show_status(&place.control, json)?,
        Agent::CheckPolicy(words) => check_policy(&words)?,
        Agent::Schema => print::json(&Policy::schema())?,
        Agent::Log(words) => return agent_log::run(words),
        Agent::HoldKeys => hold_keys().map_err(|error| Failure {
            code: "agent.holder".to_owned(),
            what: format!("no agent speaks on standard input: {error}"),
            file: None,
            help: "let `touchstone agent serve` start it".to_owned(),
        })?,
    }
    Ok(Verdict::Done)
}

fn settings(words: ServeArguments) -> Settings {
    let ServeArguments {
        policy,
        state,
        builds,
        control,
        direct,
    } = words;
    Settings {
        policy,
        state,
        builds,
        control,
        direct,
        holder: Program {
            // This very program, also when another one has taken its place.
            path: "/proc/self/exe".into(),
            words: ["agent", "hold-keys"].map(Into::into).into(),
        },
    }
}

fn not_served(error: &ServeError) -> Failure {
    Failure {
        code: error.code().to_owned(),
        what: error.to_string(),
        file: error.file().map(Path::to_owned),
        help: error.help().to_owned(),
    }
}

/// The agent, and the derivation that it is asked about.
fn about(words: &DerivationArguments) -> Result<(Control, Derivation), Failure> {
    let derivation = Derivation::parse(&words.derivation).map_err(|error| no_derivation(&error))?;
    let control = Control::open(&words.place.control).map_err(refused)?;
    Ok((control, derivation))
}

fn no_derivation(error: &NotADerivation) -> Failure {
    Failure {
        code: "request.refused".to_owned(),
        what: error.to_string(),
        file: None,
        help: "name the .drv of the build: `nix path-info --derivation INSTALLABLE` prints it"
            .to_owned(),
    }
}

fn refused(source: AgentError) -> Failure {
    Failure {
        code: source.code().to_owned(),
        what: source.to_string(),
        file: None,
        help: source.help().to_owned(),
    }
}

fn check_policy(words: &CheckPolicyArguments) -> Result<(), Failure> {
    let file = &words.policy;
    let bytes = read(file)?;
    let policy = Policy::read(file, &bytes).map_err(loose)?;
    if words.files {
        policy.check_files().map_err(loose)?;
    }
    match &words.output {
        Some(copy) => Ok(output::bytes(&HostFiles, copy, &bytes)?),
        None => Ok(()),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = policy::LIMIT as u64 + 1;
    let read = File::open(file).and_then(|source| source.take(most).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Failure {
            code: "input.unreadable".to_owned(),
            what: format!("the policy cannot be read: {error}"),
            file: Some(file.to_owned()),
            help: "check that the path is spelt right and that the file is there and readable"
                .to_owned(),
        }),
    }
}

fn loose(error: PolicyError) -> Failure {
    Failure {
        code: "policy.refused".to_owned(),
        what: error.fault.to_string(),
        file: Some(error.file),
        help: "correct the policy: docs/agent-policy.md says what it may have, `touchstone agent schema` prints its schema".to_owned(),
    }
}

fn show_status(control: &Path, json: bool) -> Result<(), Failure> {
    let mut control = Control::open(control).map_err(refused)?;
    let status = control.status().map_err(refused)?;
    match json {
        true => print::json(&status),
        false => lines(&status)
            .iter()
            .try_for_each(|line| print::line(&one_line(line))),
    }
}

fn lines(status: &AgentStatus) -> Vec<String> {
    let mut lines = vec![
        format!("agent        {}", status.agent),
        format!("entry        {}", status.entry),
    ];
    lines.extend(log_lines(&status.log));
    lines.push(format!("connections  {}", status.connections));
    let keys = status.keys.iter();
    lines.extend(keys.map(|key| format!("key          {} ({})", key.name, kind(key.kind))));
    let sockets = status.sockets.iter();
    lines.extend(sockets.map(|socket| format!("socket       {}", socket.derivation)));
    let grants = status.grants.iter();
    lines.extend(grants.map(|grant| format!("grant        {} by {}", grant.derivation, grant.by)));
    lines
}

/// What is worth a word of the log.
fn log_lines(log: &LogStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if log.without_checkpoint > 0 {
        let many = log.without_checkpoint;
        lines.push(format!("log          {many} entries without a checkpoint"));
    }
    if log.full {
        lines.push("log          full: nothing is signed until the disk has room".to_owned());
    }
    if let Some(what) = &log.failure {
        lines.push(format!("log          failed: nothing is signed: {what}"));
    }
    if let Some(what) = &log.checkpoint_failure {
        lines.push(format!("log          checkpoints fail: {what}"));
    }
    let exports = log.failing_exports.iter();
    lines.extend(exports.map(|folder| format!("export       {folder} takes no checkpoints")));
    lines
}

fn kind(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Image => "images",
        KeyKind::Pcr => "values of PCR 11",
        KeyKind::Nix => "store paths",
    }
}
