//! The builder door: this program as the builder of a derivation, without a shell.
//!
//! Nix hands a derivation with structured attributes to its builder as a JSON file. Its attribute `request` is the request; in it,
//! `{"$output": "out"}` stands for the path of that output, and `{"$attribute": "name"}` for the derivation's attribute of that name
//! (so that a graph made by `exportReferencesGraph` reaches the request).

use std::path::Path;

use serde_json::{Map, Value};
use touchstone_operations::Failure;

/// The variable in which Nix names the JSON file of the attributes.
pub const ATTRIBUTES: &str = "NIX_ATTRS_JSON_FILE";

/// Reads the request from the attributes of the derivation that is being built.
///
/// # Errors
/// [`Failure`] when the program does not run as the builder of a derivation with structured attributes, or a reference is wrong.
pub fn request() -> Result<Vec<u8>, Failure> {
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
    let request = attributes
        .get("request")
        .ok_or_else(|| refused("the derivation has no attribute `request`".to_owned(), HELP))?;
    let resolved = resolve(request, &attributes)?;
    serde_json::to_vec(&resolved).map_err(|error| Failure::malformed(error.to_string()))
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

    #[test]
    fn an_object_that_only_looks_like_a_reference_is_kept() {
        let request = json!({ "$output": 3, "x": { "$other": "y" } });
        assert_eq!(resolve(&request, &attributes()).unwrap(), request);
    }
}
