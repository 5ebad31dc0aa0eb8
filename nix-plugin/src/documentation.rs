//! What `:doc builtins.touchstone.…` shows: the operation's own schema, as Markdown.

use std::ffi::CString;

use serde_json::Value;
use touchstone_operations::Description;

/// The documentation of the function of that name.
pub fn of(name: &str, description: &Description) -> CString {
    let request = description.request_schema();
    let mut text = format!(
        "Returns {}: the answer of Touchstone's operation `{}`.\n\n\
         `builtins.touchstone.{name}` takes one set, of which an attribute that is null is as good as absent:\n",
        description.about, description.name
    );
    for (attribute, schema) in attributes(request.as_value()) {
        text.push_str(&line(
            attribute,
            schema,
            required(request.as_value(), attribute),
        ));
    }
    text.push_str(&format!(
        "\nFiles are read through the evaluator. Every string of the answer has the context of all strings of the request. \
         `touchstone schema {}` prints all of the request's and the answer's form.\n",
        description.name
    ));
    // A schema has no NUL; if it had, the text would end there.
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}

fn attributes(request: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let properties = request.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "operation" | "output"))
}

fn required(request: &Value, attribute: &str) -> bool {
    let required = request.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|name| name == attribute))
}

fn line(attribute: &str, schema: &Value, required: bool) -> String {
    let about = schema.get("description").and_then(Value::as_str);
    let about = about.unwrap_or_default().replace('\n', " ");
    let required = if required { "" } else { " (may be absent)" };
    format!("\n- `{attribute}`{required}: {about}\n")
}

#[cfg(test)]
mod tests {
    use touchstone_operations::operations;

    #[test]
    fn names_every_attribute_and_whether_it_is_needed() {
        let known = operations();
        let verify = known
            .iter()
            .find(|known| known.name == "pe.verify")
            .unwrap();
        let text = super::of("verify", verify).into_string().unwrap();
        assert!(
            text.contains("`builtins.touchstone.verify` takes one set"),
            "{text}"
        );
        assert!(text.contains("- `file`: The PE image."), "{text}");
        assert!(text.contains("- `db` (may be absent): "), "{text}");
        assert!(!text.contains("`operation`"), "{text}");
    }
}
