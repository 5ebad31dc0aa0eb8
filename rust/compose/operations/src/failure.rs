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
            what: what.into(),
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
        writeln!(f, "{} [{}]", self.what, self.code)?;
        if let Some(file) = &self.file {
            writeln!(f, "  file: {}", file.display())?;
        }
        write!(f, "  help: {}", self.help)
    }
}

impl std::error::Error for Failure {}
