//! The operations on stores: each door is given a store of its own, as the second one would find everything done.

use serde_json::{Value, json};

use super::{Schemas, assert_valid};
use crate::closure_import::made::{Made, THERE};
use crate::shorthand::{text, words};

pub fn export(request: &Value) -> Vec<String> {
    let form = match request["form"] == "cache" {
        true => "--cache",
        false => "--output",
    };
    let mut command = words(["closure", "export", "--json", form, text(request, "output")]);
    named(&mut command, request, &["manifest", "signatures", "root"]);
    repeated(&mut command, request, "without", "--without");
    let toplevels = request["toplevels"].as_array().unwrap().iter();
    command.extend(toplevels.map(|path| path.as_str().unwrap().to_owned()));
    command
}

pub fn import(request: &Value) -> Vec<String> {
    let mut command = words(["closure", "import", "--json"]);
    named(&mut command, request, &["root"]);
    repeated(&mut command, request, "paths", "--path");
    repeated(
        &mut command,
        request,
        "trustedPublicKeys",
        "--trusted-public-key",
    );
    if let Some(number) = request["sigsNeeded"].as_u64() {
        command.extend(words(["--sigs-needed", &number.to_string()]));
    }
    if request["repair"] == true {
        command.push("--repair".to_owned());
    }
    let sources = request["sources"].as_array().unwrap().iter();
    command.extend(sources.map(|source| source.as_str().unwrap().to_owned()));
    command
}

pub fn registration(request: &Value) -> Vec<String> {
    let mut command = words(["closure", "registration", "--json"]);
    named(&mut command, request, &["root", "output"]);
    command
}

fn named(command: &mut Vec<String>, request: &Value, fields: &[&str]) {
    for field in fields {
        if let Some(value) = request[field].as_str() {
            command.extend(words([&format!("--{field}"), value]));
        }
    }
}

fn repeated(command: &mut Vec<String>, request: &Value, field: &str, name: &str) {
    for value in request[field].as_array().into_iter().flatten() {
        command.extend(words([name, value.as_str().unwrap()]));
    }
}

#[test]
fn a_store_is_filled_and_listed_alike_through_each_door() {
    let made = Made::new();
    let key = made.key.public_key().to_string();
    let exported = |output: &str, form: &str| {
        json!({ "operation": "closure.export", "toplevels": [made.system], "without": [made.library],
            "signatures": made.valid(THERE), "root": THERE, "form": form, "output": output })
    };
    let import = |root: &str| {
        json!({ "operation": "closure.import", "sources": ["whole"], "trustedPublicKeys": [key], "sigsNeeded": 1,
            "paths": [made.system], "root": root, "repair": true })
    };
    let listed = |root: &str| json!({ "operation": "closure.registration", "root": root, "output": format!("{root}.list") });
    made.export_with(&["--cache", "whole"]);
    let requests = [
        (
            exported("one.stream", "stream"),
            exported("other.stream", "stream"),
        ),
        (
            exported("one.cache", "cache"),
            exported("other.cache", "cache"),
        ),
        (import("one"), import("other")),
        (listed("one"), listed("other")),
    ];
    for (request, other) in requests {
        let operation = text(&request, "operation");
        let schemas = Schemas::of(&made.work, operation);
        assert_valid(&schemas.request, operation, &request);
        made.work.write("request.json", request.to_string());
        let answer = made.work.json(["run", "request.json"]);
        assert_valid(&schemas.answer, operation, &answer);
        let mut doors = super::OPERATIONS.iter();
        let doors = doors.find(|doors| doors.operation == operation);
        let shorthand = doors.unwrap().shorthand.unwrap();
        assert_eq!(made.work.json(shorthand(&other)), answer, "{operation}");
    }
    for (one, other) in [("one.stream", "other.stream"), ("one.list", "other.list")] {
        assert_eq!(made.work.read(one), made.work.read(other));
        assert!(!made.work.read(one).is_empty());
    }
}
