//! `touchstone-install clear-entry-default`.

use std::fmt;

use serde::Serialize;

use super::Variables;
use crate::Verdict;
use crate::arguments::ClearEntryDefault;
use crate::commands::{CommandError, show};

/// What was removed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cleared {
    /// The default that the firmware remembered; none when it remembered none.
    entry_default: Option<String>,
}

pub(crate) fn run(arguments: &ClearEntryDefault) -> Result<Verdict, CommandError> {
    let host = arguments.common.host();
    let variables = Variables::at(host.at(host.efi_variables()));
    let entry_default = variables.clear_entry_default()?;
    show(arguments.common.json, &Cleared { entry_default });
    Ok(Verdict::Done)
}

impl fmt::Display for Cleared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.entry_default {
            Some(entry) => writeln!(
                out,
                "the firmware no longer remembers {entry} as the default"
            ),
            None => writeln!(out, "the firmware remembers no default"),
        }
    }
}
