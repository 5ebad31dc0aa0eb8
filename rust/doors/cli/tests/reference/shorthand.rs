//! The shorthand commands for requests about several predictions.

use serde_json::Value;

use crate::shorthand::{text, words};

fn generations(command: &mut Vec<String>, request: &Value) {
    for generation in request["generations"].as_array().unwrap() {
        let (name, file) = (text(generation, "name"), text(generation, "prediction"));
        command.extend(words(["--generation", &format!("{name}={file}")]));
    }
    command.extend(words(["--output", text(request, "output")]));
}

pub fn reference_create(request: &Value) -> Vec<String> {
    let mut command = words(["reference", "create", "--json"]);
    generations(&mut command, request);
    let pcrs: Vec<String> = request["pcrs"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    command.extend(words(["--pcrs", &pcrs.join(",")]));
    for bank in request["banks"].as_array().unwrap() {
        command.extend(words(["--bank", bank.as_str().unwrap()]));
    }
    command
}

pub fn reference_check(request: &Value) -> Vec<String> {
    let (document, values) = (text(request, "document"), text(request, "values"));
    words(["reference", "check", "--json", document, "--pcrs", values])
}

pub fn pcrlock_create(request: &Value) -> Vec<String> {
    let mut command = words(["pcrlock", "create", "--json"]);
    generations(&mut command, request);
    command
}

pub fn measure_compare(request: &Value) -> Vec<String> {
    let (expected, actual) = (text(request, "expected"), text(request, "actual"));
    let mut command = words(["measure", "compare", "--json", expected, actual]);
    if let Some(output) = request["output"].as_str() {
        command.extend(words(["--output", output]));
    }
    command
}
