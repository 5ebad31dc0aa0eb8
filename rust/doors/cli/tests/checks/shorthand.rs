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
