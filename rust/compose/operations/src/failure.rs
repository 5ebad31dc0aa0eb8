//! The shape of an error at every door.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;
use touchstone_artifacts::Error;

use crate::REQUEST_LIMIT;

/// Why an operation was refused, for a person and for a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// A stable name of the kind of failure, such as `input.not-pe`.
    pub code: String,
    /// What happened, in a sentence.
    pub what: String,
    /// The file or key it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// What to do.
    pub help: String,
}

impl Failure {
    /// A request that is not of the form its schema demands.
    pub fn malformed(what: impl Into<String>) -> Self {
        Self {
            code: "request.malformed".to_owned(),
            what: one_line(&what.into()),
            file: None,
            help: "compare the request with `touchstone schema OPERATION`".to_owned(),
        }
    }

    /// A request that is larger than [`REQUEST_LIMIT`].
    pub fn too_large() -> Self {
        Self {
            code: "request.too-large".to_owned(),
            what: format!("the request has more than {} MiB", REQUEST_LIMIT >> 20),
            file: None,
            help: "name files instead of writing what they hold into the request".to_owned(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.code().to_owned(),
            what: error.to_string(),
            file: error.file().map(Into::into),
            help: error.help().to_owned(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What happened may take several lines, each with what was found.
        for (number, line) in self.what.split('\n').enumerate() {
            let begin = if number == 0 { "" } else { "\n" };
            write!(f, "{begin}{}", one_line(line))?;
        }
        writeln!(f, " [{}]", self.code)?;
        if let Some(file) = &self.file {
            writeln!(f, "  file: {}", one_line(&file.to_string_lossy()))?;
        }
        write!(f, "  help: {}", self.help)
    }
}

/// The text with its control characters spelt out: no name in a message begins a line of its own, or gives orders to a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_debug());
        } else {
            line.push(letter);
        }
    }
    line
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_begins_a_line_or_colours_a_terminal() {
        let failure = Failure {
            file: Some("/x\n  help: \u{1b}[31mé\"".into()),
            ..Failure::malformed("no operation `a\nb\u{9b}`")
        };
        let text = failure.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r"no operation `a\nb\u{9b}` [request.malformed]");
        assert_eq!(lines[1], r#"  file: /x\n  help: \u{1b}[31mé""#);
        assert_eq!(lines.len(), 3, "{text}");
    }

    #[test]
    fn what_was_found_keeps_its_lines() {
        let failure = Failure {
            what: "these differ:\n  PCR 4\t\n  PCR 7".to_owned(),
            ..Failure::too_large()
        };
        let text = failure.to_string();
        assert!(
            text.starts_with("these differ:\n  PCR 4\\t\n  PCR 7 [request.too-large]\n"),
            "{text}"
        );
    }
}
