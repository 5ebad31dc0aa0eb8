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
        agent: None,
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

const STORE: &str = "/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-nixos-system";

/// A generation, in which `field` is this.
fn generation(field: &str, value: Value) -> Value {
    let mut request = json!({
        "operation": "bootspec.emit", "system": "x86_64-linux", "toplevel": STORE, "init": format!("{STORE}/init"),
        "kernel": format!("{STORE}/kernel"), "kernelParams": [], "initrds": [], "label": "NixOS",
    });
    request[field] = value;
    request
}

#[test]
fn what_is_malformed_is_named_by_its_way_from_the_request_with_what_was_expected() {
    let parts = |part: &str, value: Value| json!({ "operation": "measure.parts", "ukis": { "one": { "stub": "x", part: value } } });
    let cases = [
        (
            json!({ "operation": "measure.uki", "file": "x", "banks": ["sha256", 4] }),
            "measure.uki: banks[1]: invalid type: integer `4`, expected",
        ),
        (
            json!({ "operation": "measure.predict", "measure": { "pcrs": [4, 7, "x"] } }),
            "measure.predict: measure.pcrs[2]: invalid type: string \"x\", expected u32",
        ),
        (
            json!({ "operation": "pe.digest" }),
            "pe.digest: missing field `file`",
        ),
        (
            json!({ "operation": "measure.predict", "measure": { "secureBoot": { "PK": "x" } } }),
            "measure.predict: measure.secureBoot: missing field `KEK`",
        ),
        (
            json!({ "operation": "pe.verify", "file": "x", "dbz": "y" }),
            "pe.verify: dbz: unknown field `dbz`, expected one of `file`, `certificates`, `db`, `dbx`, `sbatLevel`",
        ),
        (
            parts("cmdline", json!(3)),
            "measure.parts: ukis.one.cmdline: invalid type: integer `3`, expected a text or { \"file\": path }",
        ),
        (
            parts("cmdlien", json!("quiet")),
            "measure.parts: ukis.one.cmdlien: unknown field `cmdlien`, expected one of `stub`, ",
        ),
        (
            parts("efifw", json!([{ "id": "x" }])),
            "measure.parts: ukis.one.efifw[0]: missing field `file`",
        ),
        (
            json!({ "operation": "boot.space", "artifacts": [], "size": -1 }),
            "boot.space: size: invalid type: integer `-1`, expected a number of bytes, or a text such as \"512M\"",
        ),
        (
            json!({ "operation": "uki.assemble", "stub": "x", "output": "y", "sbat": [1] }),
            "uki.assemble: sbat[0]: invalid type: integer `1`, expected a text or { \"file\": path }",
        ),
        (
            json!({ "operation": "uki.assemble", "stub": "x", "output": "y", "sign": { "key": 1 } }),
            "uki.assemble: sign.key: invalid type: integer `1`, expected a string",
        ),
        (
            json!({ "operation": "uki.assemble", "stub": "x" }),
            "uki.assemble: missing field `output`",
        ),
        (
            generation("v1", json!("no")),
            "bootspec.emit: v1: unknown variant `no`, expected",
        ),
        (
            generation("specialisations", json!({ "one": { "extensions": 1 } })),
            "bootspec.emit: specialisations.one: extensions: ",
        ),
        (generation("kernelParam", json!([])), "bootspec.emit: "),
    ];
    for (request, says) in cases {
        let said = refused(&request);
        assert!(said.starts_with(says), "{said}");
    }
    for field in ["kernelParams", "kernelParam"] {
        let said = refused(&generation(field, json!(1)));
        assert!(said.contains(field), "{said}");
    }
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
