//! The operations on stores: each door is given a store of its own, as the second one would find everything done.

use serde_json::{Value, json};

use super::{Schemas, assert_valid};
use crate::closure_import::made::{Made, THERE, secret};
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

pub fn verify(request: &Value) -> Vec<String> {
    let mut command = known("verify", request);
    repeated(
        &mut command,
        request,
        "trustedPublicKeys",
        "--trusted-public-key",
    );
    if let Some(number) = request["sigsNeeded"].as_u64() {
        command.extend(words(["--sigs-needed", &number.to_string()]));
    }
    command
}

pub fn sign(request: &Value) -> Vec<String> {
    let mut command = known("sign", request);
    named(&mut command, request, &["key", "output"]);
    command
}

pub fn manifest(request: &Value) -> Vec<String> {
    let mut command = known("manifest", request);
    named(&mut command, request, &["output"]);
    command
}

/// What the three have in common.
fn known(word: &str, request: &Value) -> Vec<String> {
    let mut command = words(["closure", word, "--json", text(request, "toplevel")]);
    let fields = ["root", "signatures", "manifest", "class"];
    named(&mut command, request, &fields);
    if let Some(file) = request["nixDatabase"].as_str() {
        command.extend(words(["--nix-database", file]));
    }
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

#[test]
fn a_closure_is_verified_listed_and_signed_alike_through_each_door() {
    let made = Made::new();
    let key = made.key.public_key().to_string();
    made.work.write("key", secret(&made.key, 1));
    let verify = |known: Value| {
        let mut request = json!({ "operation": "closure.verify", "toplevel": made.system, "trustedPublicKeys": [key], "sigsNeeded": 1,
            "root": THERE });
        let fields = request.as_object_mut().unwrap();
        fields.extend(known.as_object().unwrap().clone());
        request
    };
    let manifest = |output: &str| json!({ "operation": "closure.manifest", "toplevel": made.system, "root": THERE, "output": output });
    let sign = |output: &str| {
        json!({ "operation": "closure.sign", "toplevel": made.system, "root": THERE, "signatures": made.valid(THERE), "key": "key", "class": "kiosk",
            "output": output })
    };
    let by_manifest = json!({ "manifest": "one.signed", "class": "kiosk" });
    let requests = [
        (manifest("one.manifest"), manifest("other.manifest")),
        (sign("one.signed"), sign("other.signed")),
        (verify(json!({})), verify(json!({}))),
        (verify(by_manifest.clone()), verify(by_manifest)),
    ];
    let same = |(request, other): &(Value, Value)| {
        let operation = text(request, "operation");
        let schemas = Schemas::of(&made.work, operation);
        assert_valid(&schemas.request, operation, request);
        made.work.write("request.json", request.to_string());
        let answer = made.work.json(["run", "request.json"]);
        assert_valid(&schemas.answer, operation, &answer);
        let mut doors = super::OPERATIONS.iter();
        let doors = doors.find(|doors| doors.operation == operation);
        let said = made
            .work
            .touchstone(doors.unwrap().shorthand.unwrap()(other));
        let by_command: Value = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(by_command, answer, "{operation}");
        let status = if answer["verified"] == false { 3 } else { 0 };
        assert_eq!(said.status.code(), Some(status), "{operation}");
        answer
    };
    for pair in &requests {
        assert_ne!(same(pair)["verified"], false);
    }
    for kind in ["manifest", "signed"] {
        let [one, other] = ["one", "other"].map(|name| made.work.read(&format!("{name}.{kind}")));
        assert_eq!(one, other);
    }
    std::fs::write(made.on_disk(THERE, &made.system), "another system").unwrap();
    assert_eq!(same(&requests[2])["verified"], false);
}
