//! `measure.compare`: whether a prediction is the pinned one, and which component moved which PCR.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use touchstone_measure::Prediction;
use touchstone_measure::reference::Reference;
use touchstone_measure::reference::compare::{Changes, Side, compare};

use super::{json, read};
use crate::{Context, Error, Files, output};

/// The request of `measure.compare`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ComparePredictions {
    /// What is expected: a prediction, or a reference document.
    pub expected: PathBuf,
    /// What is there now: the same kind of document.
    pub actual: PathBuf,
    /// Whether it is an error when a value differs, as it is in a build that guards the pinned file.
    #[serde(default)]
    pub required: bool,
    /// What the pinned file is called where a person would replace it, such as `pcrs.json`: for the error's advice.
    pub pinned: Option<String>,
    /// Where the answer is written as well; not when the request is refused.
    pub output: Option<PathBuf>,
}

impl ComparePredictions {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Moved`] when a value differs and that is `required` not to be; [`Error::Reference`] when a document contradicts
    /// itself; [`Error::Open`], [`Error::Text`], [`Error::Request`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<Changes, Error> {
        context.progress.phase("comparing");
        let (expected, actual) = (
            Document::read(context.files, &self.expected)?,
            Document::read(context.files, &self.actual)?,
        );
        let (expected, actual) = match (&expected, &actual) {
            (Document::Prediction(one), Document::Prediction(other)) => {
                (Side::from(one), Side::from(other))
            }
            (Document::Reference(one), Document::Reference(other)) => {
                (Side::from(one.as_ref()), Side::from(other.as_ref()))
            }
            _ => {
                return Err(Error::Request {
                    fact: "one document is a prediction, the other a reference document".to_owned(),
                    help: "compare two predictions, or two reference documents",
                });
            }
        };
        let comparison = compare(&expected, &actual);
        if self.required && !comparison.unchanged {
            return Err(self.moved(&comparison));
        }
        if let Some(path) = &self.output {
            output::bytes(context.files, path, &json(&comparison)?)?;
        }
        Ok(comparison)
    }

    fn moved(&self, comparison: &Changes) -> Error {
        let mut fact = comparison.lines().join("\n  ");
        let pinned = self.pinned.clone();
        let pinned = pinned.unwrap_or_else(|| self.expected.display().to_string());
        fact.push_str(&format!(
            "\n  to accept the new values: install -m 644 {} {pinned}",
            self.actual.display()
        ));
        Error::Moved {
            file: self.expected.clone(),
            fact,
        }
    }
}

enum Document {
    Prediction(Prediction),
    Reference(Box<Reference>),
}

impl Document {
    fn read(files: &dyn Files, path: &Path) -> Result<Document, Error> {
        let role = "prediction";
        let value: Value = read(files, role, path)?;
        let of_form = |error: serde_json::Error| Error::Text {
            role,
            file: path.to_owned(),
            fact: error.to_string(),
        };
        if value.get("format").is_none() {
            return serde_json::from_value(value)
                .map(Document::Prediction)
                .map_err(of_form);
        }
        let reference: Reference = serde_json::from_value(value).map_err(of_form)?;
        reference.validate().map_err(|source| Error::Reference {
            file: Some(path.to_owned()),
            source,
        })?;
        Ok(Document::Reference(Box::new(reference)))
    }
}
