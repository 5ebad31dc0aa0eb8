//! `touchstone keys`.

use touchstone_artifacts::Context;
use touchstone_artifacts::keys::GenerateKeys;
use touchstone_operations::{Failure, perform};

use super::Verdict;
use crate::arguments::Keys;

/// Makes keys.
///
/// # Errors
/// [`Failure`].
pub fn run(keys: Keys, context: &Context<'_>) -> Result<Verdict, Failure> {
    match keys {
        Keys::Generate { folder } => {
            perform(&GenerateKeys { output: folder }, context)?;
            Ok(Verdict::Done)
        }
    }
}
