//! The shorthand commands for requests about Bootspec documents.

use serde_json::Value;

use crate::shorthand::{text, words};

pub fn bootspec_validate(request: &Value) -> Vec<String> {
    let files = request["files"].as_array().unwrap();
    let files = files.iter().map(|file| file.as_str().unwrap());
    let mut command = words(["bootspec", "validate", "--json"].into_iter().chain(files));
    if let Some(output) = request["output"].as_str() {
        command.extend(words(["--output", output]));
    }
    command
}

pub fn bootspec_upgrade(request: &Value) -> Vec<String> {
    let mut command = words(["bootspec", "upgrade", "--json", text(request, "file")]);
    for initrd in request["initrds"].as_array().into_iter().flatten() {
        command.extend(words(["--initrd", initrd.as_str().unwrap()]));
    }
    for (field, name) in [
        ("fdtdir", "--fdtdir"),
        ("devicetree", "--devicetree"),
        ("output", "--output"),
    ] {
        if let Some(path) = request[field].as_str() {
            command.extend(words([name, path]));
        }
    }
    command.extend(flags(
        request,
        &[("withoutInitrdSecrets", "--without-initrd-secrets")],
    ));
    command
}

pub fn bootspec_synthesize(request: &Value) -> Vec<String> {
    let mut command = words([
        "bootspec",
        "synthesize",
        "--json",
        text(request, "toplevel"),
    ]);
    command.extend(flags(
        request,
        &[
            ("v1Only", "--v1-only"),
            ("withoutInitrdSecrets", "--without-initrd-secrets"),
        ],
    ));
    command
}

pub fn bootspec_show(request: &Value) -> Vec<String> {
    words(["bootspec", "show", "--json", text(request, "file")])
}

fn flags(request: &Value, names: &[(&str, &str)]) -> Vec<String> {
    let set = names.iter().filter(|(field, _)| request[*field] == true);
    set.map(|(_, name)| (*name).to_owned()).collect()
}
