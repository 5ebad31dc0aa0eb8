//! Interpreters that a request allows, each with a reason.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::closure_files::pattern::Pattern;

/// A store path, or a file, in which interpreters may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AllowedInterpreter {
    /// The store path, or the file. `*` is any text without `/`, `**` any text, so that a new hash needs no new entry:
    /// `/nix/store/*-bash-*`.
    pub path: String,
    /// Why it may be there: not empty.
    pub reason: String,
}

/// What a request allows.
pub(super) struct Allowed<'a>(Vec<Rule<'a>>);

struct Rule<'a> {
    entry: &'a AllowedInterpreter,
    pattern: Pattern,
    used: bool,
}

impl<'a> Allowed<'a> {
    /// Reads the entries of a request.
    ///
    /// # Errors
    /// [`Error::Request`] for one without a reason, or whose path is not absolute.
    pub(super) fn parse(entries: &'a [AllowedInterpreter]) -> Result<Allowed<'a>, Error> {
        let rules = entries.iter().map(Rule::parse);
        rules.collect::<Result<_, _>>().map(Allowed)
    }

    /// The reason for which a file of a path may be there, if there is one.
    pub(super) fn reason(&mut self, holder: &Path, file: &Path) -> Option<&'a str> {
        let [holder, file] = [holder, file].map(|path| path.to_string_lossy());
        let fits =
            |rule: &&mut Rule<'_>| rule.pattern.matches(&holder) || rule.pattern.matches(&file);
        let rule = self.0.iter_mut().find(fits)?;
        rule.used = true;
        Some(&rule.entry.reason)
    }

    /// The paths of entries that allowed nothing.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = self.0.iter().filter(|rule| !rule.used);
        unused.map(|rule| rule.entry.path.clone()).collect()
    }
}

impl<'a> Rule<'a> {
    fn parse(entry: &'a AllowedInterpreter) -> Result<Rule<'a>, Error> {
        if entry.reason.trim().is_empty() {
            return Err(refused(
                format!("{} in `allow` has no reason", entry.path),
                "say in a sentence why an interpreter may be there: who reads the list later will ask",
            ));
        }
        if !entry.path.starts_with('/') {
            return Err(refused(
                format!("{:?} in `allow` is no absolute path", entry.path),
                "give a store path, or a pattern such as `/nix/store/*-bash-*`",
            ));
        }
        Ok(Rule {
            entry,
            pattern: Pattern::of(entry.path.trim_end_matches('/')),
            used: false,
        })
    }
}

fn refused(fact: String, help: &'static str) -> Error {
    Error::Request { fact, help }
}
