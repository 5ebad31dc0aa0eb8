//! The one list of operations: what each takes, what it answers, and how a request finds its own.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, HostFiles};
use touchstone_operations::{Description, Failure, dispatch, operations};

const SYSTEM: &str = "/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-nixos-system";
const KERNEL: &str = "/nix/store/1gxpmdfdx5lnbs3gkwwmbm5kdj5c3mvs-linux";

fn perform(request: Value) -> Result<Value, Failure> {
    let context = Context {
        files: &HostFiles,
        progress: &Silent,
        keys: KeyPolicy::TestKeysOnly,
        agent: None,
        now: None,
    };
    dispatch(request, &context)
}

fn description(name: &str) -> Description {
    let mut known = operations().into_iter();
    known.find(|known| known.name == name).unwrap()
}

fn valid(schema: schemars::Schema, value: &Value) -> bool {
    let validator = jsonschema::validator_for(schema.as_value()).unwrap();
    validator.is_valid(value)
}

/// A request that needs no file.
fn generation() -> Value {
    json!({
        "operation": "bootspec.emit",
        "system": "x86_64-linux",
        "toplevel": SYSTEM,
        "init": format!("{SYSTEM}/init"),
        "kernel": format!("{KERNEL}/bzImage"),
        "kernelParams": ["quiet"],
        "initrds": [],
        "label": "NixOS",
    })
}

#[test]
fn names_are_unique_and_every_schema_is_one() {
    let mut names = BTreeSet::new();
    for known in operations() {
        assert!(names.insert(known.name), "{} twice", known.name);
        assert!(!known.about.is_empty(), "{}", known.name);
        for schema in [known.request_schema(), known.answer_schema()] {
            assert!(
                jsonschema::meta::is_valid(schema.as_value()),
                "{}",
                known.name
            );
        }
    }
}

#[test]
fn the_schema_of_a_request_takes_its_own_name_alone_and_no_other_field() {
    for known in operations() {
        let schema = known.request_schema();
        let schema = schema.as_value();
        assert_eq!(
            schema["properties"]["operation"],
            json!({ "const": known.name })
        );
        assert!(
            schema["required"]
                .as_array()
                .unwrap()
                .contains(&json!("operation"))
        );
        assert_eq!(
            schema["additionalProperties"],
            json!(false),
            "{}",
            known.name
        );
    }
}

#[test]
fn request_and_answer_are_of_the_form_that_the_schemas_describe() {
    let known = description("bootspec.emit");
    let mut request = generation();
    assert!(valid(known.request_schema(), &request));
    let answer = perform(request.clone()).unwrap();
    assert!(valid(known.answer_schema(), &answer), "{answer}");
    assert_eq!(
        answer["document"]["org.nixos.bootspec.v2"]["toplevel"],
        SYSTEM
    );

    request["kernelParam"] = json!(["quiet"]);
    assert!(!valid(known.request_schema(), &request));
    let failure = perform(request).unwrap_err();
    assert!(failure.what.contains("kernelParam"), "{failure}");
}

#[test]
fn a_request_for_an_unknown_operation_is_told_which_there_are() {
    let failure = perform(json!({ "operation": "uki.burn" })).unwrap_err();
    assert_eq!(failure.code, "request.malformed");
    for known in operations() {
        assert!(failure.what.contains(known.name), "{failure}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    for wrong in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "operation": 1 }),
        json!("pe.digest"),
    ] {
        let failure = perform(wrong.clone()).unwrap_err();
        assert_eq!(failure.code, "request.malformed", "{wrong}");
    }
}

#[test]
fn a_failure_says_what_happened_to_which_file_and_what_to_do() {
    let failure =
        perform(json!({ "operation": "pe.digest", "file": "/missing/image" })).unwrap_err();
    let shown = failure.to_string();
    let lines: Vec<&str> = shown.lines().map(str::trim).collect();
    assert!(lines[0].ends_with("[input.unreadable]"), "{shown}");
    assert_eq!(lines[1], "file: /missing/image");
    assert!(
        lines[2].starts_with("help: ") && lines.len() == 3,
        "{shown}"
    );
    let document = serde_json::to_value(&failure).unwrap();
    assert_eq!(document["code"], "input.unreadable");
    assert_eq!(document["file"], "/missing/image");
}

/// The one key that a build may open is a marked test key.
#[test]
fn a_key_in_the_store_is_refused_however_it_is_written() {
    for key in [
        format!("{KERNEL}/db.key"),
        format!("/nix/./store/../store/x/{KERNEL}"),
        format!("/proc/..{KERNEL}/db.key"),
    ] {
        let sign = json!({ "key": key, "certificate": "/missing/db.pem" });
        let request = json!({ "operation": "pe.sign", "file": "/missing/image", "sign": sign, "output": "/missing/out" });
        let failure = perform(request).unwrap_err();
        assert_eq!(failure.code, "key.refused", "{failure}");
        assert!(failure.what.contains("Nix store"), "{failure}");
    }
}
