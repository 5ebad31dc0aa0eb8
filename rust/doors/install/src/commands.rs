//! What each command does, and what it prints.

use crate::Verdict;
use crate::arguments::{Arguments, Install};
use crate::install::{InstallError, Order, install};

/// Why a command ends with 1.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// Nothing was installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// It was installed, but not everywhere, or garbage stays.
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
        Some(command) => match command {},
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
    if common.json {
        println!(
            "{}",
            serde_json::to_string_pretty(&report).unwrap_or_default()
        );
    } else {
        print!("{report}");
    }
    match trouble.is_empty() {
        true => Ok(Verdict::Done),
        false => Err(CommandError::Trouble(trouble)),
    }
}
