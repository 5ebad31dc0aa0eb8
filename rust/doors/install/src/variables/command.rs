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
    /// The preferred entry that it remembered; none when it remembered none.
    entry_preferred: Option<String>,
}

pub(crate) fn run(arguments: &ClearEntryDefault) -> Result<Verdict, CommandError> {
    let host = arguments.common.host();
    let variables = Variables::at(host.at(host.efi_variables()));
    let cleared = Cleared {
        entry_default: variables.clear_entry_default()?,
        entry_preferred: variables.clear_entry_preferred()?,
    };
    show(arguments.common.json, &cleared);
    Ok(Verdict::Done)
}

impl fmt::Display for Cleared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let removed = [
            ("the default", &self.entry_default),
            ("preferred", &self.entry_preferred),
        ];
        if removed.iter().all(|(_, entry)| entry.is_none()) {
            return writeln!(out, "the firmware remembers no default");
        }
        for (what, entry) in removed {
            if let Some(entry) = entry {
                writeln!(out, "the firmware no longer remembers {entry} as {what}")?;
            }
        }
        Ok(())
    }
}
