//! Schemas of the protocol's types that a policy uses.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::protocol::{KeyKind, KeyName};

impl JsonSchema for KeyName {
    fn schema_name() -> Cow<'static, str> {
        "KeyName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
            "description": "The name of a key: 1 to 64 letters, digits, `-`, `_` and `.`, a letter or a digit first"
        })
    }
}

impl JsonSchema for KeyKind {
    fn schema_name() -> Cow<'static, str> {
        "KeyKind".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "enum": ["image", "pcr", "nix"],
            "description": "What a key signs: images, values of PCR 11, or store paths"
        })
    }
}
