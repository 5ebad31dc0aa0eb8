//! Signatures that are made where the key is: asked for, made, attached.

use serde_json::{Value, json};

use super::{Generation, measure, sign, with_specialisations};
use crate::real_nix::assert_same_tree;
use crate::refusals::{Refusal, assert_one_error};

fn fields(more: Value) -> Value {
    let mut fields = json!({ "bootspec": with_specialisations(), "profiles": [{ "id": "debug", "kernelParams": ["debug"] }] });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    fields
}

fn detached() -> Value {
    json!({ "certificate": "keys/db.pem", "signatures": "signatures" })
}

/// Unsigned artifacts, and what is to be signed for them.
fn requested() -> Generation {
    let generation = Generation::new();
    generation.make("unsigned", fields(json!({})));
    let ask = ["boot", "requests", "--json", "--certificate", "keys/db.pem"];
    generation.json(&[&ask[..], &["--output", "requests", "unsigned"]].concat());
    generation
}

const SIGN: [&str; 6] = [
    "boot",
    "sign",
    "--json",
    "--key",
    "keys/db.key",
    "--certificate",
];

fn signed() -> Generation {
    let generation = requested();
    generation.json(
        &[
            &SIGN[..],
            &["keys/db.pem", "--output", "signatures", "requests"],
        ]
        .concat(),
    );
    generation
}

#[test]
fn artifacts_with_signatures_made_elsewhere_are_those_that_the_key_signs_at_once() {
    let generation = signed();
    generation.make(
        "detached",
        fields(json!({ "detached": detached(), "measure": measure() })),
    );
    generation.make(
        "at-once",
        fields(json!({ "sign": sign(), "measure": measure() })),
    );
    let path = |name: &str| generation.work.path(name);
    assert_same_tree("detached, at once", &path("detached"), &path("at-once"));
}

#[test]
fn each_image_is_asked_for_once_by_its_digest() {
    let generation = requested();
    let extension = generation.extension("unsigned");
    let mut digests: Vec<String> = ["quiet", "loud", "rescue"]
        .iter()
        .map(|name| &extension["specialisations"][name]["uki"])
        .chain([&extension["uki"], &extension["loader"]])
        .map(|image| image["authenticodeSha256"].as_str().unwrap().to_owned())
        .collect();
    digests.sort();
    let mut files: Vec<String> = std::fs::read_dir(generation.work.path("requests"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expected: Vec<String> = digests
        .iter()
        .map(|digest| format!("{digest}.signed-data"))
        .collect();
    assert_eq!(files, expected);
    // The same that is prepared for the one image.
    let prepare = [
        "pe",
        "sign",
        "--prepare-offline-signing",
        "--certificate",
        "keys/db.pem",
    ];
    let output =
        generation.touchstone(&[&prepare[..], &["--output", "data", "unsigned/uki.efi"]].concat());
    assert!(output.status.success());
    let digest = extension["uki"]["authenticodeSha256"].as_str().unwrap();
    let asked = generation
        .work
        .read(&format!("requests/{digest}.signed-data"));
    assert_eq!(asked, generation.work.read("data"));
}

#[test]
fn requests_of_signed_artifacts_are_those_of_unsigned_ones() {
    let generation = signed();
    generation.make("signed", fields(json!({ "sign": sign() })));
    let ask = ["boot", "requests", "--json", "--certificate", "keys/db.pem"];
    generation.json(&[&ask[..], &["--output", "again", "signed"]].concat());
    let path = |name: &str| generation.work.path(name);
    assert_same_tree("again, before", &path("again"), &path("requests"));
}

#[test]
fn other_digests_are_signed_the_same_way() {
    let generation = Generation::new();
    generation.make("unsigned", json!({}));
    let digest = [
        "--digest",
        "sha384",
        "--certificate",
        "keys/db.pem",
        "--output",
    ];
    let ask = [
        &["boot", "requests", "--json"],
        &digest[..],
        &["requests", "unsigned"],
    ]
    .concat();
    generation.json(&ask);
    let by = [
        &["boot", "sign", "--json", "--key", "keys/db.key"],
        &digest[..],
    ]
    .concat();
    generation.json(&[&by[..], &["signatures", "requests"]].concat());
    generation.make("detached", json!({ "detached": detached() }));
    let mut by_key = sign();
    by_key["digest"] = json!("sha384");
    generation.make("at-once", json!({ "sign": by_key }));
    let path = |name: &str| generation.work.path(name);
    assert_same_tree("detached, at once", &path("detached"), &path("at-once"));

    let other = [&SIGN[..], &["keys/db.pem", "--output", "other", "requests"]].concat();
    let refusal = Refusal::new("request.refused", "", &["was prepared for Sha384"]);
    assert_one_error(&generation.touchstone(&other), &refusal);
}

#[test]
fn a_signature_that_is_missing_is_named_with_the_command_that_makes_it() {
    let generation = signed();
    let extension = generation.extension("unsigned");
    let digest = extension["specialisations"]["quiet"]["uki"]["authenticodeSha256"]
        .as_str()
        .unwrap();
    let missing = format!("signatures/{digest}.signature");
    std::fs::remove_file(generation.work.path(&missing)).unwrap();
    let facts = [
        "out/specialisation/quiet/uki.efi",
        "touchstone boot requests",
        "touchstone boot sign",
    ];
    let refusal = Refusal::new("detached.missing", &missing, &facts);
    assert_one_error(
        &generation.refused(fields(json!({ "detached": detached() }))),
        &refusal,
    );
}

#[test]
fn a_signature_of_another_key_or_of_another_image_is_refused() {
    let generation = signed();
    let other = json!({ "certificate": "keys/KEK.pem", "signatures": "signatures" });
    let output = generation.refused(fields(json!({ "detached": other })));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("[detached.wrong-signature]"), "{said}");

    // Under the name of another image.
    let extension = generation.extension("unsigned");
    let digest = |image: &Value| image["authenticodeSha256"].as_str().unwrap().to_owned();
    let (uki, loader) = (digest(&extension["uki"]), digest(&extension["loader"]));
    for end in ["signed-data", "signature"] {
        let path = |digest: &str| generation.work.path(&format!("signatures/{digest}.{end}"));
        std::fs::copy(path(&loader), path(&uki)).unwrap();
    }
    let file = format!("signatures/{uki}.signed-data");
    let refusal = Refusal::new("detached.other-image", &file, &[]);
    assert_one_error(
        &generation.refused(fields(json!({ "detached": detached() }))),
        &refusal,
    );
}

#[test]
fn a_key_and_signatures_made_elsewhere_are_not_both_taken() {
    let generation = Generation::new();
    let both = json!({ "sign": sign(), "detached": detached() });
    let refusal = Refusal::new("request.refused", "", &["both `sign` and `detached`"]);
    assert_one_error(&generation.refused(both), &refusal);
}

#[test]
fn an_image_that_is_not_the_one_in_boot_json_is_asked_no_signature_for() {
    let generation = Generation::new();
    generation.make("unsigned", json!({}));
    let mut image = generation.work.read("unsigned/uki.efi");
    let last = image.len() - 1;
    image[last] ^= 1;
    generation.work.write("unsigned/uki.efi", image);
    let ask = [
        "boot",
        "requests",
        "--certificate",
        "keys/db.pem",
        "--output",
        "requests",
        "unsigned",
    ];
    let refusal = Refusal::new(
        "input.not-as-described",
        "unsigned/uki.efi",
        &["Authenticode SHA-256"],
    );
    assert_one_error(&generation.touchstone(&ask), &refusal);
    assert!(!generation.work.path("requests").exists());
}

#[test]
fn whoever_holds_the_key_signs_nothing_but_what_the_names_say() {
    let generation = requested();
    let files = std::fs::read_dir(generation.work.path("requests")).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    std::fs::copy(&files[0], &files[1]).unwrap();
    let sign = [
        &SIGN[..],
        &["keys/db.pem", "--output", "signatures", "requests"],
    ]
    .concat();
    let refusal = Refusal::new("input.not-as-described", "", &["its name says"]);
    assert_one_error(&generation.touchstone(&sign), &refusal);

    generation.work.write("requests/notes.txt", "please sign");
    let refusal = Refusal::new("input.text", "requests/notes.txt", &["its name is not"]);
    let output = generation.touchstone(&sign);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("[input.text]") || said.contains("[input.not-as-described]"),
        "{said}"
    );
    std::fs::remove_file(&files[1]).unwrap();
    assert_one_error(&generation.touchstone(&sign), &refusal);
    assert!(!generation.work.path("signatures").exists());

    std::fs::create_dir(generation.work.path("empty-folder")).unwrap();
    let none = [
        &SIGN[..],
        &["keys/db.pem", "--output", "signatures", "empty-folder"],
    ]
    .concat();
    let refusal = Refusal::new("request.refused", "", &["has no signing requests"]);
    assert_one_error(&generation.touchstone(&none), &refusal);
}
