//! Attributes that decide how a derivation is built: of the environment, or of `__json` where the attributes are structured.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use touchstone_store::json;

use super::Recipe;

/// Where structured attributes stand.
const STRUCTURED: &str = "__json";
const REQUIRED: &str = "requiredSystemFeatures";

/// Why it is not known which system features a derivation requires.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// `__json` is no JSON object.
    #[error("its structured attributes are no JSON object")]
    Structured,
    /// The attribute is neither a text nor a list of texts.
    #[error("its attribute requiredSystemFeatures is no list of texts")]
    Kind,
}

/// The system features that the build requires.
pub(super) fn required(derivation: &Recipe) -> Result<BTreeSet<String>, FeatureError> {
    let Some(structured) = structured(derivation)? else {
        let text = derivation.attribute(REQUIRED).unwrap_or_default();
        let text = std::str::from_utf8(text).map_err(|_| FeatureError::Kind)?;
        return Ok(text.split_ascii_whitespace().map(str::to_owned).collect());
    };
    match structured.get(REQUIRED) {
        None => Ok(BTreeSet::new()),
        Some(Value::Array(features)) => {
            let texts = features.iter().map(|feature| feature.as_str());
            let texts = texts.map(|text| text.map(str::to_owned).ok_or(FeatureError::Kind));
            texts.collect()
        }
        Some(_) => Err(FeatureError::Kind),
    }
}

/// Whether an attribute is true, as Nix writes that: `1` in an environment. What cannot be read counts as set.
pub(super) fn is_set(derivation: &Recipe, name: &str) -> bool {
    let plain = derivation
        .attribute(name)
        .is_some_and(|value| !matches!(value, b"" | b"0"));
    let structured = match structured(derivation) {
        Ok(None) => false,
        Ok(Some(attributes)) => attributes
            .get(name)
            .is_some_and(|value| !matches!(value, Value::Bool(false) | Value::Null)),
        Err(_) => true,
    };
    plain || structured
}

fn structured(derivation: &Recipe) -> Result<Option<Map<String, Value>>, FeatureError> {
    let Some(text) = derivation.attribute(STRUCTURED) else {
        return Ok(None);
    };
    match json::parse(text) {
        Ok(Value::Object(attributes)) => Ok(Some(attributes)),
        _ => Err(FeatureError::Structured),
    }
}
