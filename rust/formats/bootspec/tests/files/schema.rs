//! The JSON Schema of docs/ judges the documents as the reader does, but for what a schema cannot say.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use touchstone_bootspec::{Additions, BesideV1, Generation, SecretsProgram, emit, upgrade};

use super::table::{BAD, GOOD};
use super::{bytes, good};

const ONE_PLACE: &str = "a schema looks at one place, not at two beside each other";
const PARSED: &str =
    "a parser keeps one of two members that have one key; the schema sees what it kept";

/// Bad documents that the schema accepts, each with the reason.
const BEYOND: [(&str, &str); 8] = [
    ("child-with-another-v2", ONE_PLACE),
    ("extension-twice", PARSED),
    ("key-twice-in-core", PARSED),
    ("key-twice-in-extension", PARSED),
    ("specialisation-missing-in-v2", ONE_PLACE),
    ("versions-of-different-initrds", ONE_PLACE),
    ("versions-of-different-kernels", ONE_PLACE),
    (
        "versions-of-different-parameters-in-a-specialisation",
        ONE_PLACE,
    ),
];

/// Bad documents that no parser hands to a schema: they are no JSON, or nothing that the parser can hold.
const UNPARSED: [&str; 7] = [
    "byte-order-mark",
    "latin-1",
    "lone-surrogate",
    "number-out-of-range",
    "too-deep",
    "trailing-comma",
    "two-documents",
];

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../../../docs/bootspec-v2.schema.json")).unwrap()
}

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn parsed(kind: &str, name: &str) -> Option<Value> {
    serde_json::from_slice(&bytes(kind, name)).ok()
}

#[test]
fn is_a_schema_of_its_draft() {
    assert_eq!(
        schema()["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn accepts_what_the_reader_accepts() {
    let validator = validator();
    for name in GOOD {
        let document = parsed("good", name).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

#[test]
fn refuses_what_the_reader_refuses_but_for_what_it_cannot_say() {
    let validator = validator();
    let beyond = BTreeMap::from(BEYOND);
    for (name, _) in BAD {
        let Some(document) = parsed("bad", name) else {
            assert!(UNPARSED.contains(&name), "{name}");
            continue;
        };
        assert!(!UNPARSED.contains(&name), "{name}");
        assert_eq!(
            validator.is_valid(&document),
            beyond.contains_key(name),
            "{name}"
        );
    }
}

#[test]
fn accepts_what_is_written() {
    let validator = validator();
    for name in GOOD {
        let upgraded = upgrade(
            good(name),
            Additions::default(),
            SecretsProgram::AppendsNothing,
        )
        .unwrap();
        assert!(validator.is_valid(&upgraded.to_value()), "{name}");
        let Generation {
            core,
            specialisations,
        } = upgraded.v2.unwrap();
        let emitted = emit(
            Generation {
                core,
                specialisations,
            },
            Default::default(),
            BesideV1::WherePossible,
        );
        assert!(
            validator.is_valid(&emitted.unwrap().document.to_value()),
            "{name}"
        );
    }
}

/// The pattern of a parameter is where a schema is easily wrong: each of these is as good to one as to the other.
#[test]
fn judges_paths_and_parameters_as_the_reader_does() {
    let validator = validator();
    let store = "/nix/store/00000000000000000000000000000000-";
    let long = "n".repeat(212);
    let paths = [
        "a", "", ".", "..", ".-a", "..-a", ".a", "...", "a/b", "a/", "a//b", "a/./b", "a/../b",
        "a/.b", "a/..b", "a/...", "a/b c", "é", "a/é", &long,
    ];
    let params = [
        "a=b",
        "init=",
        "xinit=1",
        "a init=b",
        "\"init=b",
        "\"\"init=b",
        "a\"init=b",
        "\u{a0}init=b",
        "rdinit=/init",
        "",
    ];
    for (key, values) in [
        (
            "kernel",
            paths.map(|path| json!(format!("{store}{path}"))).to_vec(),
        ),
        (
            "toplevel",
            paths.map(|path| json!(format!("{store}{path}"))).to_vec(),
        ),
        (
            "init",
            paths.map(|path| json!(format!("{store}{path}"))).to_vec(),
        ),
        ("kernelParams", params.map(|param| json!([param])).to_vec()),
    ] {
        for value in values {
            let mut document = parsed("good", "v2-smallest").unwrap();
            document["org.nixos.bootspec.v2"][key] = value.clone();
            let read = touchstone_bootspec::Document::read(document.to_string().as_bytes());
            assert_eq!(
                validator.is_valid(&document),
                read.is_ok(),
                "{key}: {value}: {read:?}"
            );
        }
    }
}
