//! The shorthand commands of `touchstone policy` for a request.

use serde_json::Value;

use crate::shorthand::{text, words};

/// The options of the text fields that a request has.
fn options(command: &mut Vec<String>, request: &Value, fields: &[(&str, &str)]) {
    for (field, name) in fields {
        if let Some(value) = request[field].as_str() {
            command.extend(words([*name, value]));
        }
    }
}

pub fn policy_create(request: &Value) -> Vec<String> {
    let mut command = words(["policy", "create", "--json"]);
    for variant in request["variants"].as_array().unwrap() {
        let (name, file) = (text(variant, "name"), text(variant, "prediction"));
        command.push(format!("{name}={file}"));
    }
    if let Some(pcrs) = request["pcrs"].as_array() {
        let pcrs: Vec<String> = pcrs.iter().map(Value::to_string).collect();
        command.extend(words(["--pcrs", &pcrs.join(",")]));
    }
    options(
        &mut command,
        request,
        &[
            ("bank", "--bank"),
            ("hash", "--hash"),
            ("next", "--next"),
            ("output", "--output"),
        ],
    );
    options(
        &mut command,
        &request["running"],
        &[
            ("variant", "--running"),
            ("values", "--running-values"),
            ("phase", "--running-phase"),
            ("eventLog", "--running-log"),
        ],
    );
    command
}

pub fn policy_sign(request: &Value) -> Vec<String> {
    let mut command = words(["policy", "sign", "--json"]);
    options(
        &mut command,
        request,
        &[
            ("policy", "--policy"),
            ("uki", "--uki"),
            ("publicKey", "--public-key"),
            ("policyRef", "--policy-ref"),
            ("output", "--output"),
        ],
    );
    options(
        &mut command,
        &request["sign"],
        &[("key", "--key"), ("publicKey", "--public-key")],
    );
    command
}

pub fn policy_show(request: &Value) -> Vec<String> {
    let mut command = words(["policy", "show", "--json", text(request, "file")]);
    options(&mut command, request, &[("publicKey", "--public-key")]);
    options(&mut command, &request["machine"], &[("values", "--values")]);
    command
}
