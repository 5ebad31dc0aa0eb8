//! Bytes in, bytes out: the contract of every door.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

use serde_json::{Value, json};
use touchstone_artifacts::progress::Silent;
use touchstone_artifacts::signing_key::KeyPolicy;
use touchstone_artifacts::{Context, HostFiles};
use touchstone_operations::{Effect, Failure, REQUEST_LIMIT, answer, operations};

fn answered(request: &[u8]) -> Result<Vec<u8>, Failure> {
    let context = Context {
        files: &HostFiles,
        progress: &Silent,
        keys: KeyPolicy::TestKeysOnly,
        now: None,
    };
    answer(request, &context)
}

fn refused(request: &Value) -> String {
    let failure = answered(request.to_string().as_bytes()).unwrap_err();
    assert_eq!(failure.code, "request.malformed", "{failure}");
    failure.what
}

#[test]
fn an_answer_is_indented_json_and_one_line_feed() {
    let system = "/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-nixos-system";
    let request = json!({
        "operation": "bootspec.emit",
        "system": "x86_64-linux",
        "toplevel": system,
        "init": format!("{system}/init"),
        "kernel": format!("{system}/kernel"),
        "kernelParams": ["quiet"],
        "label": "NixOS",
        "initrds": [],
    });
    let bytes = answered(request.to_string().as_bytes()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        text,
        serde_json::to_string_pretty(&answer).unwrap() + "\n",
        "{text}"
    );
}

#[test]
fn a_request_of_more_than_the_limit_is_refused_before_it_is_read() {
    // No JSON from its first byte on: whoever read it would say so.
    let failure = answered(&vec![b'x'; REQUEST_LIMIT + 1]).unwrap_err();
    assert_eq!(failure.code, "request.too-large");
    assert!(failure.what.contains("64 MiB"), "{failure}");
    let failure = answered(&vec![b' '; REQUEST_LIMIT]).unwrap_err();
    assert_eq!(failure.code, "request.malformed");
}

#[test]
fn a_request_that_is_nested_too_deeply_is_refused() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let failure = answered(deep.as_bytes()).unwrap_err();
    assert!(failure.what.contains("recursion limit"), "{failure}");
}

#[test]
fn what_is_malformed_is_named_by_its_way_from_the_request() {
    let wrong = json!({ "operation": "measure.uki", "file": "x", "banks": ["sha256", 4] });
    assert!(
        refused(&wrong).starts_with("measure.uki: banks[1]: invalid type: integer `4`, expected"),
        "{}",
        refused(&wrong)
    );
}

#[test]
fn an_operation_that_must_have_an_output_is_no_value() {
    for known in operations() {
        let schema = known.request_schema();
        let required = schema.as_value()["required"].as_array().cloned();
        let makes_files = required.unwrap_or_default().contains(&json!("output"));
        assert!(
            !(makes_files && known.effect == Effect::Value),
            "{} is no value: it needs an output",
            known.name
        );
    }
}
