//! The shorthand commands for requests about whole closures and folders.

use serde_json::Value;

use crate::shorthand::{text, words};

pub fn closure_secrets(request: &Value) -> Vec<String> {
    let mut command = words(["closure", "secrets", "--json"]);
    let list = |field: &str| request[field].as_array().into_iter().flatten();
    command.extend(list("paths").map(|path| path.as_str().unwrap().to_owned()));
    // The command is given each path of a closure.
    command.extend(list("closure").map(|entry| text(entry, "path").to_owned()));
    for entry in list("allow") {
        command.extend(words(["--allow", entry.as_str().unwrap()]));
    }
    if request["tpmBound"] == true {
        command.push("--tpm-bound".to_owned());
    }
    if let Some(output) = request["output"].as_str() {
        command.extend(words(["--output", output]));
    }
    command
}

pub fn closure_interpreters(request: &Value) -> Vec<String> {
    // The command finds the closure that Nix gives the builder by itself.
    let mut command = words(["closure", "interpreters", "--json", "--follow"]);
    let list = |field: &str| request[field].as_array().into_iter().flatten();
    command.extend(list("paths").map(|path| path.as_str().unwrap().to_owned()));
    for entry in list("allow") {
        command.extend(words([
            "--allow",
            text(entry, "path"),
            text(entry, "reason"),
        ]));
    }
    if let Some(output) = request["output"].as_str() {
        command.extend(words(["--output", output]));
    }
    command
}

/// With the request's `measure` as a file of its own.
pub fn boot_verify(request: &Value) -> Vec<String> {
    let mut command = words(["boot", "verify", "--json", text(request, "artifacts")]);
    for (field, name) in [("db", "--db"), ("dbx", "--dbx"), ("output", "--output")] {
        if let Some(value) = request[field].as_str() {
            command.extend(words([name, value]));
        }
    }
    for key in request["trustedKeys"].as_array().into_iter().flatten() {
        command.extend(words(["--trusted-key", key.as_str().unwrap()]));
    }
    if let Some(number) = request["sigsNeeded"].as_u64() {
        command.extend(words(["--sigs-needed", &number.to_string()]));
    }
    if request["measure"].is_object() {
        command.extend(words(["--measure", "measure.json"]));
    }
    command
}

pub fn boot_space(request: &Value) -> Vec<String> {
    let mut command = words(["boot", "space", "--json"]);
    for (field, name) in [
        ("size", "--size"),
        ("generations", "--generations"),
        ("clusterSize", "--cluster-size"),
        ("sectorSize", "--sector-size"),
        ("reserve", "--reserve"),
        ("output", "--output"),
    ] {
        match &request[field] {
            Value::Null => (),
            Value::String(value) => command.extend(words([name, value])),
            number => command.extend(words([name, &number.to_string()])),
        }
    }
    for (path, file) in request["shared"].as_object().into_iter().flatten() {
        command.extend(words([
            "--shared",
            &format!("{path}={}", file.as_str().unwrap()),
        ]));
    }
    let artifacts = request["artifacts"].as_array().unwrap().iter();
    command.extend(artifacts.map(|folder| folder.as_str().unwrap().to_owned()));
    command
}
