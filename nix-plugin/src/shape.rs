//! Which attributes a set of a request may have, read from the operation's schema, so that an unknown one is refused before its value
//! is looked at.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// What may lie at a place of a request. What is not said here is left to the operation.
#[derive(Debug, Default)]
pub struct Shape {
    /// The attributes, where no others may be.
    known: Option<BTreeMap<String, Shape>>,
    /// What every attribute of a set with free names is.
    any: Option<Box<Shape>>,
    /// What every item of a list is.
    items: Option<Box<Shape>>,
}

/// A place of which nothing is known.
static OPEN: Shape = Shape {
    known: None,
    any: None,
    items: None,
};

/// How deep definitions are followed: some contain themselves.
const DEPTH: usize = 12;

impl Shape {
    /// The shape that a JSON Schema describes.
    pub fn of(schema: &Value) -> Self {
        let empty = Map::new();
        let definitions = schema.get("$defs").and_then(Value::as_object);
        let mut shape = Reader(definitions.unwrap_or(&empty)).shape(schema, DEPTH);
        if let Some(known) = &mut shape.known {
            known.remove("operation");
            known.remove("output");
        }
        shape
    }

    /// The names that are known, if `name` is none of them.
    pub fn unknown(&self, name: &str) -> Option<Vec<&str>> {
        let known = self.known.as_ref()?;
        (!known.contains_key(name)).then(|| known.keys().map(String::as_str).collect())
    }

    /// What lies at the attribute of that name.
    pub fn attribute(&self, name: &str) -> &Shape {
        let known = self.known.as_ref().and_then(|known| known.get(name));
        known.or(self.any.as_deref()).unwrap_or(&OPEN)
    }

    /// What lies at the items of a list.
    pub fn item(&self) -> &Shape {
        self.items.as_deref().unwrap_or(&OPEN)
    }
}

/// Reads schemas with these definitions.
struct Reader<'a>(&'a Map<String, Value>);

impl Reader<'_> {
    fn shape(&self, schema: &Value, depth: usize) -> Shape {
        let Some(depth) = depth.checked_sub(1) else {
            return Shape::default();
        };
        if let Some(definition) = self.definition(schema) {
            return self.shape(definition, depth);
        }
        if let Some(alternatives) = alternatives(schema) {
            return self.one_of(alternatives, depth);
        }
        let within = |key: &str| {
            schema
                .get(key)
                .map(|inner| Box::new(self.shape(inner, depth)))
        };
        Shape {
            known: self.known(schema, depth),
            any: within("additionalProperties"),
            items: within("items"),
        }
    }

    fn definition(&self, schema: &Value) -> Option<&Value> {
        let reference = schema.get("$ref")?.as_str()?;
        self.0.get(reference.strip_prefix("#/$defs/")?)
    }

    fn known(&self, schema: &Value, depth: usize) -> Option<BTreeMap<String, Shape>> {
        let closed = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|key| schema.get(key) == Some(&Value::Bool(false)));
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.filter(|_| closed)?;
        let shape = |(name, inner): (&String, _)| (name.clone(), self.shape(inner, depth));
        Some(properties.iter().map(shape).collect())
    }

    /// The only alternative that is a set or a list; of several nothing is known, for it is the operation that tells them apart.
    fn one_of(&self, alternatives: &[Value], depth: usize) -> Shape {
        let mut shapes = alternatives
            .iter()
            .filter(|schema| self.holds_others(schema, depth))
            .map(|schema| self.shape(schema, depth));
        match (shapes.next(), shapes.next()) {
            (Some(shape), None) => shape,
            _ => Shape::default(),
        }
    }

    fn holds_others(&self, schema: &Value, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else {
            return true;
        };
        if let Some(definition) = self.definition(schema) {
            return self.holds_others(definition, depth);
        }
        if let Some(inner) = alternatives(schema) {
            return inner.iter().any(|inner| self.holds_others(inner, depth));
        }
        match schema.get("type") {
            Some(Value::String(kind)) => matches!(kind.as_str(), "object" | "array"),
            Some(Value::Array(kinds)) => {
                kinds.iter().any(|kind| kind == "object" || kind == "array")
            }
            _ => schema.get("const").is_none() && schema.get("enum").is_none(),
        }
    }
}

fn alternatives(schema: &Value) -> Option<&[Value]> {
    ["anyOf", "oneOf", "allOf"]
        .iter()
        .find_map(|key| schema.get(key)?.as_array().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn predict() -> Shape {
        Shape::of(&json!({
            "properties": {
                "operation": { "const": "measure.predict" },
                "output": { "type": ["string", "null"] },
                "shim": { "anyOf": [{ "$ref": "#/$defs/Shim" }, { "type": "null" }] },
                "entries": { "type": "array", "items": { "$ref": "#/$defs/Shim" } },
                "named": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Shim" } },
                "text": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/Shim" }, { "type": "array" }] },
            },
            "additionalProperties": false,
            "$defs": { "Shim": { "properties": { "image": { "type": "string" } }, "additionalProperties": false } },
        }))
    }

    #[test]
    fn what_a_function_does_not_take_is_unknown() {
        let shape = predict();
        assert_eq!(shape.unknown("shim"), None);
        for name in ["operation", "output", "shimm"] {
            let known = shape.unknown(name).unwrap();
            assert_eq!(known, ["entries", "named", "shim", "text"]);
        }
    }

    #[test]
    fn sets_that_may_be_null_items_and_free_names_are_known() {
        let shape = predict();
        for inner in [
            shape.attribute("shim"),
            shape.attribute("entries").item(),
            shape.attribute("named").attribute("anything"),
        ] {
            assert_eq!(inner.unknown("imag"), Some(vec!["image"]));
        }
        assert_eq!(shape.attribute("named").unknown("anything"), None);
    }

    #[test]
    fn alternatives_are_left_to_the_operation() {
        assert_eq!(predict().attribute("text").unknown("anything"), None);
    }

    #[test]
    fn a_definition_that_contains_itself_ends() {
        let shape = Shape::of(&json!({
            "$ref": "#/$defs/Tree",
            "$defs": { "Tree": { "properties": { "tree": { "$ref": "#/$defs/Tree" } }, "additionalProperties": false } },
        }));
        assert_eq!(shape.attribute("tree").unknown("leaf"), Some(vec!["tree"]));
    }
}
