//! The shorthand command for a request.

use serde_json::Value;

pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}

pub fn text<'a>(request: &'a Value, field: &str) -> &'a str {
    request[field]
        .as_str()
        .unwrap_or_else(|| panic!("no text field {field} in {request}"))
}

fn list<'a>(request: &'a Value, field: &str) -> Vec<&'a Value> {
    request[field].as_array().into_iter().flatten().collect()
}

/// `TEXT` or `@FILE`.
fn text_or_file(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        file => format!("@{}", text(file, "file")),
    }
}

pub fn uki_build(request: &Value) -> Vec<String> {
    let mut command = words(["uki", "build", "--output", text(request, "output")]);
    let mut option = |name: &str, value: &str| command.extend(words([name, value]));
    for (field, name) in [
        ("stub", "--stub"),
        ("linux", "--linux"),
        ("uname", "--uname"),
        ("splash", "--splash"),
        ("ucode", "--ucode"),
        ("dtb", "--dtb"),
        ("hwids", "--hwids"),
        ("pcrpkey", "--pcrpkey"),
    ] {
        option(name, text(request, field));
    }
    for (field, name) in [
        ("initrds", "--initrd"),
        ("dtbauto", "--dtbauto"),
        ("efifw", "--efifw"),
        ("joinProfiles", "--join-profile"),
    ] {
        for file in list(request, field) {
            option(name, file.as_str().unwrap());
        }
    }
    for sbat in list(request, "sbat") {
        option("--sbat", &text_or_file(sbat));
    }
    for section in list(request, "sections") {
        let content = text_or_file(&section["content"]);
        option("--section", &format!("{}:{content}", text(section, "name")));
    }
    for (field, name) in [
        ("cmdline", "--cmdline"),
        ("osRelease", "--os-release"),
        ("pcrsig", "--pcrsig"),
        ("profile", "--profile"),
    ] {
        option(name, &text_or_file(&request[field]));
    }
    option("--compat", &request["compat"].to_string());
    option("--key", text(&request["sign"], "key"));
    option("--certificate", text(&request["sign"], "certificate"));
    command
}

pub fn pe_sign(request: &Value) -> Vec<String> {
    let sign = &request["sign"];
    let key = [
        "--key",
        text(sign, "key"),
        "--certificate",
        text(sign, "certificate"),
    ];
    let files = ["--output", text(request, "output"), text(request, "file")];
    words(["pe", "sign"].into_iter().chain(key).chain(files))
}

pub fn boot_requests(request: &Value) -> Vec<String> {
    let mut command = words(["boot", "requests", "--json"]);
    command.extend(options(
        request,
        &[
            ("certificate", "--certificate"),
            ("digest", "--digest"),
            ("output", "--output"),
        ],
    ));
    command.push(text(request, "artifacts").to_owned());
    command
}

pub fn boot_sign(request: &Value) -> Vec<String> {
    let mut command = words([
        "boot",
        "sign",
        "--json",
        "--output",
        text(request, "output"),
    ]);
    let sign = [("key", "--key"), ("certificate", "--certificate")];
    command.extend(options(&request["sign"], &sign));
    command.push(text(request, "requests").to_owned());
    command
}

pub fn pe_prepare(request: &Value) -> Vec<String> {
    words([
        "pe",
        "sign",
        "--prepare-offline-signing",
        "--certificate",
        text(request, "certificate"),
        "--digest",
        text(request, "digest"),
        "--output",
        text(request, "output"),
        text(request, "file"),
    ])
}

pub fn pe_unsign(request: &Value) -> Vec<String> {
    let mut command = words(["pe", "unsign", "--output", text(request, "output")]);
    let number = request["signature"].to_string();
    command.extend(words(["--signature", &number, text(request, "file")]));
    command
}

pub fn pe_verify(request: &Value) -> Vec<String> {
    let mut command = words(["pe", "verify", "--json", text(request, "file")]);
    for certificate in list(request, "certificates") {
        command.extend(words(["--certificate", certificate.as_str().unwrap()]));
    }
    for (field, name) in [
        ("db", "--db"),
        ("dbx", "--dbx"),
        ("sbatLevel", "--sbat-level"),
    ] {
        if let Some(file) = request[field].as_str() {
            command.extend(words([name, file]));
        }
    }
    command
}

pub fn pe_digest(request: &Value) -> Vec<String> {
    words(["pe", "digest", "--json", text(request, "file")])
}

pub fn store_path(request: &Value) -> Vec<String> {
    words(["store", "path", "--json", text(request, "path")])
}

pub fn uki_inspect(request: &Value) -> Vec<String> {
    of_banks(["uki", "inspect"], request)
}

pub fn uki_diff(request: &Value) -> Vec<String> {
    words([
        "uki",
        "diff",
        "--json",
        text(request, "a"),
        text(request, "b"),
    ])
}

pub fn measure_uki(request: &Value) -> Vec<String> {
    of_banks(["measure", "uki"], request)
}

pub fn eventlog_show(request: &Value) -> Vec<String> {
    let mut command = of_banks(["eventlog", "show"], request);
    command.extend(options(request, &[("userspace", "--userspace")]));
    command
}

pub fn eventlog_replay(request: &Value) -> Vec<String> {
    let mut command = of_banks(["eventlog", "replay"], request);
    command.extend(options(request, &[("userspace", "--userspace")]));
    command
}

pub fn eventlog_compare(request: &Value) -> Vec<String> {
    let mut command = words(["eventlog", "compare", "--json", text(request, "file")]);
    for prediction in list(request, "predictions") {
        command.extend(words([prediction.as_str().unwrap()]));
    }
    for (field, name) in [
        ("known", "--known"),
        ("knownImages", "--known-image"),
        ("knownLists", "--known-list"),
    ] {
        for file in list(request, field) {
            command.extend(words([name, file.as_str().unwrap()]));
        }
    }
    command.extend(options(
        request,
        &[("userspace", "--userspace"), ("pcrs", "--pcrs")],
    ));
    command
}

/// Options with a value, where the request has their field.
fn options(request: &Value, fields: &[(&str, &str)]) -> Vec<String> {
    let given = fields.iter().filter_map(|(field, name)| {
        let value = request[field].as_str()?;
        Some([(*name).to_owned(), value.to_owned()])
    });
    given.flatten().collect()
}

/// A command that asks a file for some banks.
fn of_banks(command: [&str; 2], request: &Value) -> Vec<String> {
    let mut command = words(command);
    command.extend(words(["--json", text(request, "file")]));
    for bank in list(request, "banks") {
        command.extend(words(["--bank", bank.as_str().unwrap()]));
    }
    command
}

/// The request is `request.json`, without the field `operation`.
pub fn measure_predict(_request: &Value) -> Vec<String> {
    words(["measure", "predict", "--json", "request.json"])
}

/// Likewise.
pub fn measure_parts(_request: &Value) -> Vec<String> {
    words(["measure", "parts", "--json", "request.json"])
}

pub fn keys_generate(request: &Value) -> Vec<String> {
    let test = request["test"] == true;
    let command = ["keys", "generate", text(request, "output")];
    words(command.into_iter().chain(test.then_some("--test")))
}

pub fn keys_esl(request: &Value) -> Vec<String> {
    let mut command = words(["keys", "esl", "--json", "--output", text(request, "output")]);
    command.extend(words(["--owner", text(request, "owner")]));
    for (field, name) in [
        ("certificates", "--certificate"),
        ("images", "--image"),
        ("hashes", "--hash"),
        ("lists", "--esl"),
        ("revokeCertificates", "--revoke-certificate"),
    ] {
        for value in list(request, field) {
            command.extend(words([name, value.as_str().unwrap()]));
        }
    }
    command.extend(words([
        "--revocation-time",
        text(request, "revocationTime"),
    ]));
    command
}

/// What the words of an update have in common, signed here or elsewhere.
fn update(request: &Value) -> Vec<String> {
    let mut command = words(["keys", "auth", "--json", text(request, "list")]);
    for (name, field) in [
        ("--variable", "variable"),
        ("--time", "time"),
        ("--output", "output"),
    ] {
        command.extend(words([name, text(request, field)]));
    }
    command.extend((request["append"] == true).then(|| "--append".to_owned()));
    command
}

pub fn keys_prepare(request: &Value) -> Vec<String> {
    let mut command = update(request);
    command.push("--prepare-offline-signing".to_owned());
    command
}

pub fn keys_auth(request: &Value) -> Vec<String> {
    let mut command = update(request);
    let sign = &request["sign"];
    command.extend(words(["--key", text(sign, "key")]));
    command.extend(words(["--certificate", text(sign, "certificate")]));
    command
}

pub fn keys_inspect(request: &Value) -> Vec<String> {
    let files = list(request, "files");
    let files = files.into_iter().map(|file| file.as_str().unwrap());
    words(["keys", "inspect", "--json"].into_iter().chain(files))
}
