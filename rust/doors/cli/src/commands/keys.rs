//! `touchstone keys`.

use touchstone_artifacts::Context;
use touchstone_artifacts::keys::{GenerateKeys, Warning};
use touchstone_operations::{Failure, perform};

use super::Verdict;
use crate::arguments::Keys;

/// Makes keys.
///
/// # Errors
/// [`Failure`].
pub fn run(keys: Keys, context: &Context<'_>) -> Result<Verdict, Failure> {
    match keys {
        Keys::Generate(generate) => {
            let answer = perform(&GenerateKeys::from(generate), context)?;
            warn(&answer.warnings);
            Ok(Verdict::Done)
        }
    }
}

/// Warnings, a line each, on standard error.
fn warn(warnings: &[Warning]) {
    for Warning { code, what, help } in warnings {
        eprintln!("touchstone: warning: {what}; {help} [{code}]");
    }
}
