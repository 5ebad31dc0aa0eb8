//! What each command does, and what it prints.

use serde::Serialize;

use crate::Verdict;
use crate::activate::{self, ActivateError};
use crate::arguments::{Arguments, Command, Install};
use crate::assess::{self, AssessError};
use crate::install::{InstallError, Order, install};
use crate::settings::SettingsError;
use crate::status::{self, StatusError};
use crate::variables::{self, VariableError};

/// Why a command ends with 1.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Nothing was installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// Nothing was activated.
    #[error(transparent)]
    Activate(#[from] ActivateError),
    /// An entry cannot be marked.
    #[error(transparent)]
    Assess(#[from] AssessError),
    /// There is no status.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// The running system does not say which partitions there are.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A variable of the firmware cannot be read or removed.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// Nobody said which entry is bad.
    #[error(
        "this boot is not counted, so there is no entry to mark\n  help: name one: `touchstone-install status` lists them"
    )]
    NotCounted,
    /// It was done, but not everywhere, or garbage stays.
    #[error("{}", .0.join("\n"))]
    Trouble(Vec<String>),
}

/// Performs a command.
///
/// # Errors
/// [`CommandError`].
pub fn run(arguments: Arguments) -> Result<Verdict, CommandError> {
    match arguments.command {
        None => run_install(&arguments.install),
        Some(Command::Status(arguments)) => status::command::run(&arguments),
        Some(Command::Bless(arguments)) => assess::command::bless(&arguments),
        Some(Command::Bad(arguments)) => assess::command::bad(&arguments),
        Some(Command::Boot(arguments)) => activate::command::boot(&arguments),
        Some(Command::Rollback(arguments)) => activate::command::rollback(&arguments),
        Some(Command::ClearEntryDefault(arguments)) => variables::command::run(&arguments),
    }
}

/// `touchstone-install TOPLEVEL`
///
/// # Errors
/// [`CommandError`].
pub fn run_install(arguments: &Install) -> Result<Verdict, CommandError> {
    let common = &arguments.common;
    let order = Order {
        host: common.host(),
        toplevel: arguments.toplevel(),
        dry_run: arguments.dry_run,
        verify: arguments.verify,
        any_file_system: common.any_file_system,
        progress: !common.json,
    };
    let (report, trouble) = install(&order)?;
    show(common.json, &report);
    done(trouble)
}

/// Prints an answer: one JSON document, or text.
pub(crate) fn show<T: Serialize + std::fmt::Display>(json: bool, answer: &T) {
    match json {
        true => println!(
            "{}",
            serde_json::to_string_pretty(answer).unwrap_or_default()
        ),
        false => print!("{answer}"),
    }
}

/// The end of a command that did what it should; what went wrong besides is an error.
pub(crate) fn done(trouble: Vec<String>) -> Result<Verdict, CommandError> {
    match trouble.is_empty() {
        true => Ok(Verdict::Done),
        false => Err(CommandError::Trouble(trouble)),
    }
}
