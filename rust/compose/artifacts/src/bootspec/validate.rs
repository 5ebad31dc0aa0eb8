//! `bootspec.validate`: whether files are Bootspec documents.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::Document;

use super::file::read_with_extensions;
use crate::{Context, Error, output};

/// The request of `bootspec.validate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ValidateBootspec {
    /// The documents: files, or toplevels that hold a `boot.json`.
    pub files: Vec<PathBuf>,
    /// Where the answer is written as well; not when a document is refused.
    pub output: Option<PathBuf>,
}

/// The answer of `bootspec.validate`: every file is a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidatedBootspecs {
    /// The documents, in the order of the request.
    pub documents: Vec<ValidBootspec>,
}

/// A document that breaks no rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidBootspec {
    /// The file.
    pub file: PathBuf,
    /// The versions that it has: 1, 2 or both.
    pub versions: Vec<u8>,
    /// The names of the specialisations.
    pub specialisations: Vec<String>,
    /// The names of the extensions, in the document's order.
    pub extensions: Vec<String>,
}

impl ValidateBootspec {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::NoBootspec`] with the first file that is none and the rule that it breaks; [`Error::Open`], [`Error::Text`],
    /// [`Error::Request`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<ValidatedBootspecs, Error> {
        if self.files.is_empty() {
            return Err(Error::Request {
                fact: "there is no document to validate".to_owned(),
                help: "name at least one file",
            });
        }
        let documents = self.files.iter().map(|file| {
            let (file, document) = read_with_extensions(context.files, file)?;
            Ok(describe(file, &document))
        });
        let answer = ValidatedBootspecs {
            documents: documents.collect::<Result<_, Error>>()?,
        };
        if let Some(path) = &self.output {
            output::bytes(context.files, path, &crate::reference::json(&answer)?)?;
        }
        Ok(answer)
    }
}

fn describe(file: PathBuf, document: &Document) -> ValidBootspec {
    let versions = [
        document.v1.is_some().then_some(1),
        document.v2.is_some().then_some(2),
    ];
    // A document that has both has the same names in both.
    let specialisations = match (&document.v1, &document.v2) {
        (_, Some(v2)) => v2.specialisations.keys().cloned().collect(),
        (Some(v1), None) => v1.specialisations.keys().cloned().collect(),
        (None, None) => Vec::new(),
    };
    ValidBootspec {
        file,
        versions: versions.into_iter().flatten().collect(),
        specialisations,
        extensions: document.extensions.names().map(str::to_owned).collect(),
    }
}
