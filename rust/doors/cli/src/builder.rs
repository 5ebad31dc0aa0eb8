//! The builder door: this program as the builder of a derivation, without a shell.
//!
//! Nix hands a derivation with structured attributes to its builder as a JSON file. Its attribute `request` is the request; in it,
//! `{"$output": "out"}` stands for the path of that output, and `{"$attribute": "name"}` for the derivation's attribute of that name
//! (so that a graph made by `exportReferencesGraph` reaches the request). A second attribute, `answer`, is such a reference to an
//! output: the answer is written there, byte for byte what `touchstone run` prints.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use touchstone_artifacts::{HostFiles, output};
use touchstone_operations::Failure;

/// The variable in which Nix names the JSON file of the attributes.
pub const ATTRIBUTES: &str = "NIX_ATTRS_JSON_FILE";

/// What a derivation asks of its builder.
#[derive(Debug)]
pub struct Build {
    /// The request.
    pub request: Vec<u8>,
    /// The output that the answer is written to.
    answer: Option<PathBuf>,
}

/// Reads what the derivation asks that is being built.
///
/// # Errors
/// [`Failure`] when the program does not run as the builder of a derivation with structured attributes, or a reference is wrong.
pub fn asked() -> Result<Build, Failure> {
    let Some(path) = std::env::var_os(ATTRIBUTES) else {
        return Err(refused(
            format!("the variable {ATTRIBUTES} is not set"),
            "use this command only as the builder of a derivation with `__structuredAttrs = true`; people use `touchstone run`",
        ));
    };
    let text = std::fs::read(&path).map_err(|error| {
        refused(
            format!("{} cannot be read: {error}", Path::new(&path).display()),
            "build with Nix 2.4 or newer",
        )
    })?;
    let attributes: Map<String, Value> = serde_json::from_slice(&text)
        .map_err(|error| refused(format!("the attributes are no JSON object: {error}"), HELP))?;
    Build::of(&attributes)
}

impl Build {
    fn of(attributes: &Map<String, Value>) -> Result<Build, Failure> {
        let request = attributes
            .get("request")
            .ok_or_else(|| refused("the derivation has no attribute `request`".to_owned(), HELP))?;
        let request = resolve(request, attributes)?;
        let answer = attributes.get("answer").filter(|answer| !answer.is_null());
        let answer = answer.map(|answer| output_of(answer, attributes));
        let answer = answer.transpose()?;
        if answer.is_some() && request.get("output") == answer.as_ref() {
            let what = "the operation and `answer` would write the same output";
            return Err(refused(what.to_owned(), HELP));
        }
        Ok(Build {
            request: serde_json::to_vec(&request)
                .map_err(|error| Failure::malformed(error.to_string()))?,
            answer: answer.as_ref().and_then(Value::as_str).map(PathBuf::from),
        })
    }

    /// Writes the answer to its output, where the derivation has one for it.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be written.
    pub fn publish(&self, answer: &[u8]) -> Result<(), Failure> {
        match &self.answer {
            Some(path) => Ok(output::bytes(&HostFiles, path, answer)?),
            None => Ok(()),
        }
    }
}

/// The path of the output that `answer` refers to.
fn output_of(answer: &Value, attributes: &Map<String, Value>) -> Result<Value, Failure> {
    let is_output =
        |fields: &Map<String, Value>| fields.len() == 1 && fields.contains_key("$output");
    let path = match answer.as_object().filter(|fields| is_output(fields)) {
        Some(fields) => reference(fields, attributes)?,
        None => None,
    };
    path.filter(Value::is_string).ok_or_else(|| {
        let what = format!("the attribute `answer` is {answer}, and no output");
        refused(what, "write answer = { \"$output\" = \"out\"; }")
    })
}

const HELP: &str =
    "make the derivation with Touchstone's Nix functions, or compare it with docs/doors.md";

fn refused(what: String, help: &str) -> Failure {
    Failure {
        code: "builder.refused".to_owned(),
        what,
        file: None,
        help: help.to_owned(),
    }
}

/// Replaces references in `value`; the depth is bounded by serde_json's own limit of 128.
fn resolve(value: &Value, attributes: &Map<String, Value>) -> Result<Value, Failure> {
    match value {
        Value::Object(fields) => {
            if let Some(resolved) = reference(fields, attributes)? {
                return Ok(resolved);
            }
            let mut resolved = Map::new();
            for (name, field) in fields {
                resolved.insert(name.clone(), resolve(field, attributes)?);
            }
            Ok(Value::Object(resolved))
        }
        Value::Array(items) => items
            .iter()
            .map(|item| resolve(item, attributes))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        other => Ok(other.clone()),
    }
}

fn reference(
    fields: &Map<String, Value>,
    attributes: &Map<String, Value>,
) -> Result<Option<Value>, Failure> {
    let mut entries = fields.iter();
    let (Some((kind, Value::String(name))), None) = (entries.next(), entries.next()) else {
        return Ok(None);
    };
    let found = match kind.as_str() {
        "$output" => attributes
            .get("outputs")
            .and_then(|outputs| outputs.get(name)),
        "$attribute" => attributes.get(name),
        _ => return Ok(None),
    };
    found.cloned().map(Some).ok_or_else(|| {
        refused(
            format!("the request refers to {kind} `{name}`, which the derivation does not have"),
            HELP,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn attributes() -> Map<String, Value> {
        let Value::Object(map) = json!({
            "outputs": { "out": "/nix/store/o" },
            "closure": [{ "path": "/nix/store/a" }],
        }) else {
            unreachable!()
        };
        map
    }

    #[test]
    fn references_are_replaced_at_any_depth() {
        let request = json!({ "output": { "$output": "out" }, "manifest": { "closure": { "$attribute": "closure" } } });
        let resolved = resolve(&request, &attributes()).unwrap();
        assert_eq!(
            resolved,
            json!({ "output": "/nix/store/o", "manifest": { "closure": [{ "path": "/nix/store/a" }] } })
        );
    }

    #[test]
    fn a_reference_to_a_missing_output_is_refused() {
        let failure =
            resolve(&json!({ "output": { "$output": "doc" } }), &attributes()).unwrap_err();
        assert!(failure.what.contains("$output `doc`"), "{failure}");
    }

    /// What a derivation asks that has this `answer` and this request's `output`.
    fn build(answer: Value, output: Value) -> Result<Build, Failure> {
        let mut all = attributes();
        all.insert("answer".to_owned(), answer);
        all.insert("request".to_owned(), json!({ "output": output }));
        Build::of(&all)
    }

    #[test]
    fn an_answer_goes_to_the_output_that_is_named_or_nowhere() {
        let build = |answer| build(answer, Value::Null).unwrap().answer;
        assert_eq!(
            build(json!({ "$output": "out" })).unwrap(),
            Path::new("/nix/store/o")
        );
        assert_eq!(build(Value::Null), None);
    }

    #[test]
    fn an_answer_that_goes_to_no_output_is_refused() {
        for (answer, says) in [
            (json!("/nix/store/o"), "no output"),
            (json!({}), "no output"),
            (json!({ "$output": 1 }), "no output"),
            (json!({ "$attribute": "closure" }), "no output"),
            (json!({ "$output": "out", "x": 1 }), "no output"),
            (json!({ "$output": "doc" }), "$output `doc`"),
        ] {
            let failure = build(answer, Value::Null).unwrap_err();
            assert!(failure.what.contains(says), "{failure}");
        }
        let out = json!({ "$output": "out" });
        let failure = build(out.clone(), out).unwrap_err();
        assert!(failure.what.contains("the same output"), "{failure}");
    }

    #[test]
    fn an_object_that_only_looks_like_a_reference_is_kept() {
        let request = json!({ "$output": 3, "x": { "$other": "y" } });
        assert_eq!(resolve(&request, &attributes()).unwrap(), request);
    }
}
